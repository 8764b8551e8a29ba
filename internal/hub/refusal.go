package hub

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Reason is why a server refuses.
type Reason int

// The reasons of a [RefusedError].
const (
	Odd          Reason = iota // a status that stands for nothing below
	NoRepository               // or a private one: a hub doesn't tell these apart to others
	NoRevision                 // neither a branch, a tag nor a commit
	NoFile
	Gated     // its terms have to be accepted first
	Disabled  // taken off the hub by those who run it
	BadToken  // the hub doesn't know the token
	Forbidden // the token, or its absence, doesn't suffice
	Busy      // too many requests
	Down      // the server is in trouble
	Expired   // the host that the hub leads to refuses: its address was good for a while
)

// RefusedError is a refusal by the hub, or by a server it leads to.
type RefusedError struct {
	Reason     Reason
	URL        string // what was asked for, without passwords and queries
	Host       string // who refuses, with its port if it has one
	Code       int    // of HTTP
	Repository string // "ORG/NAME"; empty where the address is no hub's
	Revision   string
	Path       string
	Message    string        // what the server says
	Wait       time.Duration // until it takes requests again; 0 where it doesn't say
	hint       string
}

func (e *RefusedError) Error() string {
	text := e.sentence()
	if e.Message != "" && (e.Reason == Odd || e.Reason == Forbidden || e.Reason == Down) {
		text += fmt.Sprintf(": %q", e.Message)
	}
	return text
}

func (e *RefusedError) sentence() string {
	switch e.Reason {
	case NoRepository:
		return fmt.Sprintf("%s has no repository %q, or it is private", e.Host, e.Repository)
	case NoRevision:
		return fmt.Sprintf("repository %q has no branch, tag or commit %q", e.Repository, e.Revision)
	case NoFile:
		return e.noFile()
	case Gated:
		return fmt.Sprintf("repository %q is gated: its files are for those who accepted its terms", e.Repository)
	case Disabled:
		return fmt.Sprintf("repository %q was disabled by %s", e.Repository, e.Host)
	case BadToken:
		return e.Host + " doesn't know the token"
	case Forbidden:
		return fmt.Sprintf("%s refuses access to %s (%d)", e.Host, e.URL, e.Code)
	case Busy:
		return e.busy()
	case Expired:
		return fmt.Sprintf("%s, to which %s leads, refuses (%d)", e.Host, e.URL, e.Code)
	case Odd, Down:
	}
	return fmt.Sprintf("%s answers %d to %s", e.Host, e.Code, e.URL)
}

func (e *RefusedError) noFile() string {
	if e.Path == "" {
		return fmt.Sprintf("%s has no file at %s (%d)", e.Host, e.URL, e.Code)
	}
	return fmt.Sprintf("repository %q has no file %q at %q", e.Repository, e.Path, e.Revision)
}

func (e *RefusedError) busy() string {
	if e.Wait == 0 {
		return e.Host + " takes no more requests for now (429)"
	}
	return fmt.Sprintf("%s takes no more requests for %s (429)", e.Host, e.Wait.Round(time.Second))
}

// Hint says what the user can do.
func (e *RefusedError) Hint() string { return e.hint }

// RetryAfter implements [fetch.Later].
func (e *RefusedError) RetryAfter() time.Duration { return e.Wait }

// kind is whether a retry may help, or what was given is wrong.
func (e *RefusedError) kind() failure.Kind {
	switch e.Reason {
	case NoRepository, NoRevision, NoFile, Gated, Disabled, BadToken, Forbidden:
		return failure.Usage
	case Busy, Down, Expired:
		return failure.Transient
	case Odd:
	}
	return failure.Failure
}

// refusal makes the error of an answer to a request for an address.
func (c *Client) refusal(asked *url.URL, resp *http.Response) error {
	about := c.subjectOf(asked)
	e := &RefusedError{
		Reason: c.reason(asked, resp), Code: resp.StatusCode,
		URL: fetch.Redact(asked.String()), Host: resp.Request.URL.Host,
		Repository: about.repo, Revision: about.revision, Path: about.path,
		Message: c.token.hide(printable(resp.Header.Get("X-Error-Message"))),
	}
	if e.Reason == Busy || e.Reason == Down {
		e.Wait = fetch.RetryAfter(resp.Header)
	}
	e.hint = c.hintOf(e)
	return failure.New(e.kind(), e)
}

// reason tells refusals apart as hf_raise_for_status of huggingface_hub does.
func (c *Client) reason(asked *url.URL, resp *http.Response) Reason {
	code := resp.StatusCode
	switch {
	case code == http.StatusTooManyRequests:
		return Busy
	case code == http.StatusRequestTimeout || code >= http.StatusInternalServerError:
		return Down
	case !sameHost(asked, resp.Request.URL):
		return Expired
	case c.subjectOf(asked).repo != "":
		return c.hubReason(asked, resp)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return Forbidden
	case code == http.StatusNotFound || code == http.StatusGone:
		return NoFile
	}
	return Odd
}

// hubReason reads what a hub says besides the status.
func (c *Client) hubReason(asked *url.URL, resp *http.Response) Reason {
	switch said := resp.Header.Get("X-Error-Code"); {
	case said == "GatedRepo":
		return Gated
	case resp.Header.Get("X-Error-Message") == "Access to this resource is disabled.":
		return Disabled
	case resp.StatusCode == http.StatusUnauthorized && c.token != "":
		return BadToken // one it knows would get a 404 for what isn't there
	case said == "RevisionNotFound":
		return NoRevision
	case said == "EntryNotFound":
		return NoFile
	case said == "RepoNotFound" || resp.StatusCode == http.StatusUnauthorized:
		return NoRepository
	}
	switch resp.StatusCode {
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound, http.StatusGone: // by a mirror that says no more
		if c.subjectOf(asked).path != "" {
			return NoFile
		}
		return NoRepository
	}
	return Odd
}

func (c *Client) hintOf(e *RefusedError) string {
	page := c.repoURL(e.Repository)
	anonymous := c.token == ""
	switch e.Reason {
	case NoRepository:
		if anonymous {
			return "check its name; a private one needs HF_TOKEN"
		}
		return "check its name, and whether the account of HF_TOKEN may read it"
	case NoRevision:
		return "see " + page + "/tree/main for what there is"
	case NoFile:
		if e.Repository == "" {
			return "check the address, and what the list names"
		}
		return `"build lock" takes what there is now`
	case Gated:
		if anonymous {
			return fmt.Sprintf("accept the terms at %s and set HF_TOKEN", page)
		}
		return fmt.Sprintf("accept the terms at %s with the account of HF_TOKEN", page)
	case BadToken:
		return "make a token that may read at " + c.endpoint.String() + "/settings/tokens, and set HF_TOKEN to it"
	case Forbidden:
		if e.Repository != "" {
			return "check what the token in HF_TOKEN may read"
		}
	case Busy:
		if e.Repository != "" && anonymous {
			return "set HF_TOKEN for higher limits, or try again later"
		}
		return "try again later"
	case Odd, Disabled, Down, Expired:
	}
	return ""
}

// printable keeps a server from writing on the terminal what it likes.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if most := 200; len(text) > most {
		return text[:most]
	}
	return text
}
