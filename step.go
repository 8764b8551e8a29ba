package lamina

import (
	"context"
	"errors"
	"fmt"

	"lamina.build/internal/solve"
)

// StepError is a step of a build that failed: of an image, or of the resolving of Python
// packages. [errors.As] finds it in the errors of [Project.Build] and [Project.Lock].
type StepError struct {
	Step   string // its name in the progress: "smoke: import numpy"
	URL    string // what it fetched, where it is a fetch
	Output string // the end of what it printed
	Line   int    // of Output, from 0, that says why it failed
	Err    error  // all that is known of the failure, with what led to the step
}

// Error is the text of Err, which names the step.
func (e *StepError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *StepError) Unwrap() error { return e.Err }

// Hint says what can be done about it, as far as what it printed tells; [Hints] has it
// among the others.
func (e *StepError) Hint() string {
	if step, ok := errors.AsType[*solve.Error](e.Err); ok {
		return step.Hint()
	}
	return ""
}

// explain makes an error tell which step failed, and that its context had ended: gRPC
// words that in ways of its own.
func explain(ctx context.Context, err error) error {
	_, told := errors.AsType[*StepError](err) // a build that locks first has it from there
	if step, ok := errors.AsType[*solve.Error](err); ok && !told {
		err = &StepError{Step: step.Step, URL: step.URL, Output: step.Output, Line: step.Line(), Err: err}
	}
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}
