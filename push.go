package lamina

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// pushRetries is how often an image is pushed again that a registry in passing trouble did
// not take: for a minute, in which it may have been started anew. What it has is not sent
// twice.
const pushRetries = 6

// pushError is an engine's failure to push.
type pushError struct{ error }

func (e *pushError) Unwrap() error { return e.error }

// explainPush has a registry itself say why an engine could not push to it.
func (j job) explainPush(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "failed to push ") {
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
	if failure.KindOf(err) == failure.Usage { // whoever may push has had a token that ended
		err = failure.New(failure.Transient, err)
	}
	return &pushError{err}
}

// pushAgain says after how long a push is worth another try.
func pushAgain(err error, n int) (pause time.Duration, again bool) {
	if _, ok := errors.AsType[*pushError](err); !ok || failure.KindOf(err) != failure.Transient || n >= pushRetries {
		return 0, false
	}
	pause = time.Second << n
	if status, ok := errors.AsType[*registry.StatusError](err); ok {
		pause = max(pause, status.After)
	}
	return pause, pause <= longestPause
}

// longestPause is how long a registry may have itself waited for.
const longestPause = 2 * time.Minute
