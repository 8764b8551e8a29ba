package lamina

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/registry"
)

// pushRetries is how often a push is retried after a transient error of the registry: for
// a minute, in which it may restart. What it already has is not sent again.
const pushRetries = 6

// pushError is a failure to push, by an engine or from here.
type pushError struct{ error }

func (e *pushError) Unwrap() error { return e.error }

// explainPush asks the registry itself why an engine could not push to it, and why a login
// was refused in the middle of a push.
func (j job) explainPush(ctx context.Context, err error) error {
	sent, isSent := errors.AsType[*pushError](err)
	isRefused := isSent && failure.KindOf(sent) == failure.Usage
	if err == nil || ctx.Err() != nil || !isRefused && (isSent || !strings.Contains(err.Error(), "failed to push ")) {
		return err
	}
	for _, o := range j.Outputs {
		for _, name := range o.Names {
			if !o.Push {
				continue
			}
			if said := registry.Diagnose(ctx, name, j.registry(o.Insecure)); said != nil {
				return &pushError{fmt.Errorf("pushing %s: %w", name, said)}
			}
		}
	}
	err = registry.ExplainEngine(err)
	if failure.KindOf(err) == failure.Usage { // the user may push, so a token has expired
		err = failure.New(failure.Transient, err)
	}
	return &pushError{err}
}

// pushAgain returns whether to retry a push, and after what pause. A request that was
// retried already is not.
func pushAgain(err error, n int) (pause time.Duration, again bool) {
	if _, ok := errors.AsType[*pushError](err); !ok || failure.KindOf(err) != failure.Transient || n >= pushRetries {
		return 0, false
	}
	if tried, ok := errors.AsType[*fetch.UnreachableError](err); ok && tried.Attempts > 1 {
		return 0, false
	}
	pause = time.Second << n
	if status, ok := errors.AsType[*registry.StatusError](err); ok {
		pause = max(pause, status.After)
	}
	return pause, pause <= longestPause
}

// longestPause is the longest pause that a registry may request.
const longestPause = 2 * time.Minute
