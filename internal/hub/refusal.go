package hub

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"lamina.build/internal/fault"
	"lamina.build/internal/fetch"
)

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
	return fault.New(e.kind(), e)
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

// hubReason reads what a hub says beside the status.
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
