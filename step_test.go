package lamina

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/solve"
)

func TestErrorsTellThatTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := failure.New(failure.Transient, errors.New("rpc error: canceled"))
	if err := explain(ctx, failed); !errors.Is(err, failed) || errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	cancel()
	if err := explain(ctx, failed); !errors.Is(err, context.Canceled) || !errors.Is(err, failed) {
		t.Errorf("after: %v", err)
	}
	if err := explain(ctx, nil); err != nil {
		t.Error(err)
	}
}

// The error of a failed step has its output and its hint, and the text, kind and hints of
// the error that it wraps.
func TestStepsThatFail(t *testing.T) {
	step := &solve.Error{Step: "wheel apex: compile", Output: "x\nNo module named 'torch'", Err: errors.New("exit code: 1")}
	under := failure.WithHint(failure.New(failure.Transient, fmt.Errorf("building: %w", step)), "try again")
	err := explain(t.Context(), under)
	got, ok := errors.AsType[*StepError](err)
	if !ok || got.Step != step.Step || got.Output != step.Output || got.URL != "" || !strings.Contains(got.Hint(), "[python.build-requires]") {
		t.Fatalf("got %+v", got)
	}
	if err.Error() != "building: wheel apex: compile: exit code: 1: No module named 'torch'" || KindOf(err) != Transient {
		t.Errorf("got %v of kind %d", err, KindOf(err))
	}
	if hints := Hints(err); len(hints) != 2 || !slices.Contains(hints, "try again") || !slices.Contains(hints, got.Hint()) {
		t.Errorf("hints are %q", hints)
	}
	if again := explain(t.Context(), err); again != err { //nolint:errorlint // the very same
		t.Errorf("explained twice it is %v", again)
	}
	if _, ok := errors.AsType[*StepError](explain(t.Context(), errors.New("another"))); ok {
		t.Error("another error is a step")
	}
	if hint := (&StepError{Err: errors.New("x")}).Hint(); hint != "" {
		t.Errorf("without a step the hint is %q", hint)
	}
}
