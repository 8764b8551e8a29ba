package hub

import (
	"errors"
	"fmt"

	"lamina.build/internal/fault"
	"lamina.build/internal/fetch"
)

// MismatchError is a file that is not the one that was promised.
type MismatchError struct {
	URL       string
	What      string // "size", "sha256" or "git hash"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its %s is %s and not %s", e.URL, e.What, e.Got, e.Want)
}

// Hint says what helps.
func (e *MismatchError) Hint() string {
	return "a proxy may alter it, or its server may have replaced it: compare before you lock anew"
}

// AnswerError is an answer that is not one to what was asked.
type AnswerError struct {
	URL    string
	Reason string
}

func (e *AnswerError) Error() string { return e.URL + ": " + e.Reason }

// broken is what an error of the network means.
func broken(err error) error {
	if lost, ok := errors.AsType[*fetch.UnreachableError](err); ok {
		err = fault.New(fault.Transient, fmt.Errorf("asking %s: %w", lost.Host, lost.Err))
		return fault.WithHint(err, "check the network, HTTPS_PROXY and HF_ENDPOINT")
	}
	return fetch.Explain(err)
}
