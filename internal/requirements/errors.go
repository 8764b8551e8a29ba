package requirements

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/near"
)

// Error is one fault of a requirement file and the line it stands in. It says
// what the user can do to [fault.Hints].
type Error struct {
	File    string
	Line    int // from 1; 0 where the whole file is meant
	Message string
	hint    string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Hint says what the user can do, "" where nothing is known.
func (e *Error) Hint() string { return e.hint }

// faults gathers what is wrong, in the order of reading.
type faults []error

// add keeps err, and every error that it joins, with its place.
func (f *faults) add(file string, line int, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			f.add(file, line, one)
		}
		return
	}
	hint := strings.Join(fault.Hints(err), "; ")
	*f = append(*f, &Error{File: file, Line: line, Message: err.Error(), hint: hint})
}

func (f *faults) err() error { return fault.New(fault.Usage, errors.Join(*f...)) }

// longestQuote bounds how much of a line a message repeats.
const longestQuote = 120

// quote repeats part of a line. What might still be a password, because a URL
// is too broken for its parts to be told apart, is left out.
func quote(s string) string {
	if before, after, ok := strings.Cut(s, "://"); ok && strings.Contains(after, "@") {
		s = before + "://…"
	}
	if len(s) > longestQuote {
		s = strings.ToValidUTF8(s[:longestQuote], "") + "…"
	}
	return strconv.Quote(s)
}

// didYouMean ends a message about an unknown word with the word that was
// likely meant, and with nothing where no known word is near.
func didYouMean(word string, known []string) string {
	if meant := near.Word(word, known, near.Distance); meant != "" {
		return fmt.Sprintf(", did you mean %q?", meant)
	}
	return ""
}
