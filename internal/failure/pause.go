package failure

import (
	"context"
	"time"
)

// Pause lets d pass before another try. Where ctx ends first, it returns why.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
