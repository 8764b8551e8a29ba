package lamina

import (
	"context"
	"errors"
	"fmt"

	"lamina.build/internal/solve"
)

// StepError is a failed step of a build or of resolving Python packages. [errors.As] finds
// it in the errors of [Project.Build] and [Project.Lock].
type StepError struct {
	Step   string // its name in the progress: "smoke: import numpy"
	URL    string // what it fetched, if it is a fetch
	Output string // the end of its output
	Line   int    // of Output, from 0, that says why it failed
	Err    error  // the complete error, with what led to the step
}

// Error returns the text of Err, which names the step.
func (e *StepError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *StepError) Unwrap() error { return e.Err }

// Hint returns what the user can do about it, if the output tells; [Hints] includes it.
func (e *StepError) Hint() string {
	if step, ok := errors.AsType[*solve.Error](e.Err); ok {
		return step.Hint()
	}
	return ""
}

// explain adds to an error which step failed, and that its context had ended, which gRPC
// words differently.
func explain(ctx context.Context, err error) error {
	_, told := errors.AsType[*StepError](err) // from a build that locks first
	if step, ok := errors.AsType[*solve.Error](err); ok && !told {
		err = &StepError{Step: step.Step, URL: step.URL, Output: step.Output, Line: step.Line(), Err: err}
	}
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}
