package solve

import (
	"context"
	"errors"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// A build doesn't depend on its display.
func TestADisplayDoesNotHoldUpTheBuild(t *testing.T) {
	broken := errors.New("no terminal")
	for name, tt := range map[string]struct {
		progress func(context.Context, chan *client.SolveStatus) error
		want     error
	}{
		"no display":       {nil, nil},
		"a broken display": {func(context.Context, chan *client.SolveStatus) error { return broken }, broken},
		"one that breaks": {func(_ context.Context, steps chan *client.SolveStatus) error {
			<-steps
			return broken
		}, broken},
		"one that outlives an interruption": {func(ctx context.Context, steps chan *client.SolveStatus) error {
			for range steps {
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return nil
		}, nil},
	} {
		status, shown := make(chan *client.SolveStatus), make(chan *client.SolveStatus)
		var r recorder
		go r.watch(status, shown, silence, nil)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		done := make(chan error)
		go func() { done <- submission{progress: tt.progress}.show(ctx, shown) }()
		for range 10 {
			status <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: digest.FromString(name), Name: name}}}
		}
		close(status)
		if err := <-done; !errors.Is(err, tt.want) || r.names[digest.FromString(name)] != name {
			t.Errorf("%s: got %v, want %v, and %q is remembered", name, err, tt.want, r.names)
		}
	}
}
