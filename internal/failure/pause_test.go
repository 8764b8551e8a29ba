package failure_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lamina.build/internal/failure"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := failure.Pause(t.Context(), time.Hour); err != nil || time.Since(start) != time.Hour {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		why := errors.New("the user gave up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		if err := failure.Pause(ctx, time.Hour); !errors.Is(err, why) || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("got %v after %s, want %v", err, time.Since(start), why)
		}
	})
}
