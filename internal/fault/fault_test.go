package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/fault"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"unmarked", io.EOF, fault.Failure},
		{"marked", fault.New(fault.Usage, io.EOF), fault.Usage},
		{"wrapped", fmt.Errorf("reading: %w", fault.New(fault.NoEngine, io.EOF)), fault.NoEngine},
		{"outermost wins", fault.New(fault.Findings, fmt.Errorf("a: %w", fault.New(fault.Usage, io.EOF))), fault.Findings},
		{"below a hint", fault.WithHint(fault.New(fault.Transient, io.EOF), "try again"), fault.Transient},
		{"joined", errors.Join(io.EOF, fault.New(fault.Usage, io.EOF)), fault.Usage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fault.KindOf(tt.err); got != tt.want {
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
	err := fault.WithHint(fmt.Errorf("all: %w", errors.Join(
		fault.New(fault.Usage, fault.WithHint(io.EOF, "inner")),
		fault.WithHint(io.EOF, "outer"),
		fmt.Errorf("typed: %w", hintedError{io.EOF}),
		unhintedError{io.EOF},
	)), "outer")
	want := []string{"outer", "inner", "of its own"}
	if diff := cmp.Diff(want, fault.Hints(err)); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if got := fault.Hints(nil); got != nil {
		t.Errorf("no error has the hints %q", got)
	}
}

func TestMarksAreTransparent(t *testing.T) {
	err := fault.New(fault.Usage, fault.WithHint(fmt.Errorf("reading x: %w", io.EOF), "look at x"))
	if !errors.Is(err, io.EOF) {
		t.Error("the cause is hidden")
	}
	if err.Error() != "reading x: EOF" {
		t.Errorf("marks changed the message to %q", err)
	}
	if fault.New(fault.Usage, nil) != nil || fault.WithHint(nil, "x") != nil {
		t.Error("no error became one")
	}
}
