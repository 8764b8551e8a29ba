package failure_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want failure.Kind
	}{
		{"unmarked", io.EOF, failure.Failure},
		{"marked", failure.New(failure.Usage, io.EOF), failure.Usage},
		{"wrapped", fmt.Errorf("reading: %w", failure.New(failure.NoEngine, io.EOF)), failure.NoEngine},
		{"outermost wins", failure.New(failure.Findings, fmt.Errorf("a: %w", failure.New(failure.Usage, io.EOF))), failure.Findings},
		{"below a hint", failure.WithHint(failure.New(failure.Transient, io.EOF), "try again"), failure.Transient},
		{"joined", errors.Join(io.EOF, failure.New(failure.Usage, io.EOF)), failure.Usage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := failure.KindOf(tt.err); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

type hintedError struct{ error }

func (hintedError) Hint() string { return "of its own" }

type unhintedError struct{ error }

func (unhintedError) Hint() string { return "" }

func TestHints(t *testing.T) {
	err := failure.WithHint(fmt.Errorf("all: %w", errors.Join(
		failure.New(failure.Usage, failure.WithHint(io.EOF, "inner")),
		failure.WithHint(io.EOF, "outer"),
		fmt.Errorf("typed: %w", hintedError{io.EOF}),
		unhintedError{io.EOF},
	)), "outer")
	want := []string{"outer", "inner", "of its own"}
	if diff := cmp.Diff(want, failure.Hints(err)); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if got := failure.Hints(nil); got != nil {
		t.Errorf("nil has the hints %q", got)
	}
}

func TestMarksAreTransparent(t *testing.T) {
	err := failure.New(failure.Usage, failure.WithHint(fmt.Errorf("reading x: %w", io.EOF), "look at x"))
	if !errors.Is(err, io.EOF) {
		t.Error("the cause is hidden")
	}
	if err.Error() != "reading x: EOF" {
		t.Errorf("marks changed the message to %q", err)
	}
	if failure.New(failure.Usage, nil) != nil || failure.WithHint(nil, "x") != nil {
		t.Error("no error became one")
	}
}
