// Package failure gives errors exit codes and hints, so that libraries classify their
// errors and only the command decides what to print. It also has suggestions for misspelt
// words, and the pause before a retry.
package failure

import (
	"errors"
	"slices"
)

// Kind is the meaning of an error to the caller of the command: its exit code.
type Kind int

// The exit codes of the build command.
const (
	Failure   Kind = 1  // something went wrong
	Usage     Kind = 2  // wrong input: flags, spec, an unreadable lock
	Findings  Kind = 3  // findings, or a lock that doesn't fit its spec
	NoEngine  Kind = 4  // no engine to build with
	Transient Kind = 75 // EX_TEMPFAIL of sysexits.h: a retry may help
)

type kindError struct {
	error
	kind Kind
}

func (e *kindError) Unwrap() error { return e.error }

type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// Hint returns what the user can do.
func (e *hintError) Hint() string { return e.hint }

// New marks err with a kind. A nil err stays nil.
func New(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &kindError{error: err, kind: kind}
}

// WithHint adds what the user can do about err. A nil err stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintError{error: err, hint: hint}
}

// KindOf returns the kind of the outermost mark in err, or [Failure] if there is none.
func KindOf(err error) Kind {
	if k, ok := errors.AsType[*kindError](err); ok {
		return k.kind
	}
	return Failure
}

// Hints returns every hint in err and the errors that it wraps or joins, outermost
// first, each one once. A hint comes from any error's method Hint() string.
func Hints(err error) []string {
	var hints []string
	walk(err, func(e error) {
		h, ok := e.(interface{ Hint() string })
		if !ok {
			return
		}
		if hint := h.Hint(); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	})
	return hints
}

func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			walk(below, visit)
		}
	}
}
