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

// Reason is why a server refuses a request.
type Reason int

// The reasons of a [RefusedError].
const (
	Odd          Reason = iota // a status with no meaning below
	NoRepository               // or a private one: to outsiders, a hub doesn't distinguish the two
	NoRevision                 // neither a branch, a tag nor a commit
	NoFile
	Gated     // its terms must be accepted first
	Disabled  // disabled by the hub
	BadToken  // the hub rejects the token
	Forbidden // the token, or its absence, is insufficient
	Busy      // too many requests
	Down      // the server has a problem
	Expired   // the host that the hub redirects to refuses: the address has expired
)

// RefusedError is a refusal by the hub, or by a server that it redirects to.
type RefusedError struct {
	Reason     Reason
	URL        string // the requested one, without passwords and queries
	Host       string // that refuses, with its port if any
	Code       int    // of HTTP
	Repository string // "ORG/NAME"; empty if the address is not on a hub
	Revision   string
	Path       string
	Message    string        // from the server
	Wait       time.Duration // until it accepts requests again; 0 if it doesn't say
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
		return fmt.Sprintf("repository %q is gated: its files require accepting its terms", e.Repository)
	case Disabled:
		return fmt.Sprintf("repository %q was disabled by %s", e.Repository, e.Host)
	case BadToken:
		return e.Host + " rejects the token"
	case Forbidden:
		return fmt.Sprintf("%s refuses access to %s (%d)", e.Host, e.URL, e.Code)
	case Busy:
		return e.busy()
	case Expired:
		return fmt.Sprintf("%s, to which %s redirects, refuses access (%d)", e.Host, e.URL, e.Code)
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
		return e.Host + " accepts no more requests for now (429)"
	}
	return fmt.Sprintf("%s accepts no more requests for %s (429)", e.Host, e.Wait.Round(time.Second))
}

// Hint returns what the user can do.
func (e *RefusedError) Hint() string { return e.hint }

// RetryAfter implements [fetch.Later].
func (e *RefusedError) RetryAfter() time.Duration { return e.Wait }

// kind returns whether a retry may help, or the user's input is wrong.
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

// refusal returns the error for an answer to a request for an address.
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

// reason distinguishes refusals as hf_raise_for_status of huggingface_hub does.
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

// hubReason interprets a hub's answer beyond the status.
func (c *Client) hubReason(asked *url.URL, resp *http.Response) Reason {
	switch said := resp.Header.Get("X-Error-Code"); {
	case said == "GatedRepo":
		return Gated
	case resp.Header.Get("X-Error-Message") == "Access to this resource is disabled.":
		return Disabled
	case resp.StatusCode == http.StatusUnauthorized && c.token != "":
		return BadToken // with a valid one, missing files get a 404
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
	case http.StatusNotFound, http.StatusGone: // from a mirror that gives no code
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
		return "see " + page + "/tree/main for what exists"
	case NoFile:
		if e.Repository == "" {
			return "check the address and the names in the list"
		}
		return `"build lock" locks what exists now`
	case Gated:
		if anonymous {
			return fmt.Sprintf("accept the terms at %s and set HF_TOKEN", page)
		}
		return fmt.Sprintf("accept the terms at %s with the account of HF_TOKEN", page)
	case BadToken:
		return "create a token with read access at " + c.endpoint.String() + "/settings/tokens, and set HF_TOKEN to it"
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

// printable prevents a server from controlling the terminal.
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
