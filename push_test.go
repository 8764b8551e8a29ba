package lamina

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/registry"
)

// A push is tried again after transient errors only, for a minute or as long as the registry
// asks for, unless that is too long or the client has already tried again.
func TestPushAgain(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	transient := func(err error) error { return &pushError{failure.New(failure.Transient, err)} }
	later := func(d time.Duration) error { return transient(&registry.StatusError{Code: 503, After: d}) }
	for _, tt := range []struct {
		name  string
		err   error
		n     int
		pause time.Duration // 0: not again
	}{
		{"not a push", failure.New(failure.Transient, lost), 0, 0},
		{"no transient error", &pushError{lost}, 0, 0},
		{"the first time", transient(lost), 0, time.Second},
		{"in a while", fmt.Errorf("on: %w", transient(lost)), 5, 32 * time.Second},
		{"for too long", transient(lost), 6, 0},
		{"when the registry says", later(30 * time.Second), 1, 30 * time.Second},
		{"not that late", later(time.Hour), 0, 0},
		{"tried by the client", transient(&fetch.UnreachableError{Attempts: 8, Err: lost}), 0, 0},
	} {
		pause, again := pushAgain(tt.err, tt.n)
		if again != (tt.pause > 0) || again && pause != tt.pause {
			t.Errorf("%s: got %s, %t", tt.name, pause, again)
		}
	}
}
