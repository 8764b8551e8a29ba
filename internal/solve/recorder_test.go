package solve

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
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

// An installation that is silent is stopped, but not because the engine clips what it prints.
func TestASilentInstallationIsStopped(t *testing.T) {
	const clipped = "x\n[output clipped, log limit 2.0MiB reached]\n"
	for name, tt := range map[string]struct {
		step, said string
		lasts      time.Duration
		want       string
	}{
		"a quiet one":          {"x: install 2 packages", "x\n", 29 * time.Minute, ""},
		"a silent one":         {"x: install 2 packages", "x\n", 33 * time.Minute, "it printed nothing for too long"},
		"a silent compilation": {"x: compile", "x\n", 33 * time.Minute, ""},
		"a clipped one":        {"x: install 2 packages", clipped, 3 * time.Hour, ""},
		"an endless one":       {"x: install 2 packages", clipped, 5 * time.Hour, "it printed more than the engine passes on"},
		"one that quotes":      {"x: install 2 packages", clipped + "x\n", 33 * time.Minute, "it printed nothing for too long"},
	} {
		synctest.Test(t, func(t *testing.T) {
			id, began := digest.FromString(name), time.Now()
			in, out := make(chan *client.SolveStatus), make(chan *client.SolveStatus, 2)
			ctx, stop := context.WithCancel(t.Context())
			var r recorder
			go func() {
				in <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: id, Name: tt.step, Started: &began}}}
				in <- &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: id, Data: []byte(tt.said)}}}
				time.Sleep(tt.lasts)
				close(in)
			}()
			r.watch(in, out, silence, stop)
			if stopped := ctx.Err() != nil; stopped != (tt.want != "") {
				t.Errorf("%s: it was stopped: %t", name, stopped)
			}
			stop()
			if err := r.explain(nil, &bkllb.Definition{}); tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s: got %v, want %q", name, err, tt.want)
			}
		})
	}
}

// A terminal that holds up its output, as after Ctrl-S, doesn't make an installation silent.
func TestAPausedDisplayIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, began := digest.FromString("x"), time.Now()
		in, out := make(chan *client.SolveStatus), make(chan *client.SolveStatus)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var r recorder
		go r.watch(in, out, silence, stop)
		in <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: id, Name: "x: install 2 packages", Started: &began}}}
		time.Sleep(2 * silence)
		<-out
		time.Sleep(silence / 2)
		in <- &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: id, Data: []byte("x\n")}}}
		<-out
		if close(in); ctx.Err() != nil {
			t.Error("it was stopped")
		}
	})
}
