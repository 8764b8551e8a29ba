package hub

import (
	"fmt"
	"time"

	"lamina.build/internal/fault"
)

// Reason is why a server refuses.
type Reason int

// The reasons of a [RefusedError].
const (
	Odd          Reason = iota // a status that stands for nothing below
	NoRepository               // or a private one: a hub doesn't tell these apart to strangers
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
func (e *RefusedError) kind() fault.Kind {
	switch e.Reason {
	case NoRepository, NoRevision, NoFile, Gated, Disabled, BadToken, Forbidden:
		return fault.Usage
	case Busy, Down, Expired:
		return fault.Transient
	case Odd:
	}
	return fault.Failure
}
