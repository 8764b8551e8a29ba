package solve

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// says is a recorder that heard what some steps printed.
func says(outputs ...string) *recorder {
	r := &recorder{outputs: map[digest.Digest][]byte{}}
	for _, output := range outputs {
		id := digest.FromString(output)
		for part := range strings.SplitAfterSeq(output, "|") { // a log comes in pieces
			r.keep(id, []byte(strings.TrimSuffix(part, "|")))
		}
	}
	return r
}

func TestPrunedIsSummedUpByRule(t *testing.T) {
	r := says(
		"installing\nlamina: pruned {\"rule\": \"**/*.a\", \"files\": 2, \"bytes\": 30}\nlamina: pruned {\"rule\": \"**/tests\", \"files\": 1, \"bytes\": 5}\n",
		"lamina: pru|ned {\"rule\": \"**/*.a\", \"files\": 1,| \"bytes\": 4000000000}",
		"nothing\n",
		"lamina: pruned garbage\nlamina: pruned {\"rule\": \"x\", \"files\": \"many\"}\n lamina: pruned {\"rule\": \"y\"}\nI say lamina: pruned {\"rule\": \"z\"}\n",
	)
	want := []Pruned{{"**/*.a", 3, 4_000_000_030}, {"**/tests", 1, 5}}
	if diff := cmp.Diff(want, r.pruned()); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
}

func TestNothingIsPrunedWhereNobodySaysSo(t *testing.T) {
	for _, r := range []*recorder{{}, says(), says("")} {
		if got := r.pruned(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	}
}

// A step that says more than is kept still says in the end what it left out.
func TestPrunedStandsAtTheEndOfALongOutput(t *testing.T) {
	r := says(strings.Repeat("copied\n", outputLimit) + "lamina: pruned {\"rule\": \"a\", \"files\": 1, \"bytes\": 2}\n")
	if diff := cmp.Diff([]Pruned{{"a", 1, 2}}, r.pruned()); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
}

// Whether somebody looks, and for how long, is nothing to the build.
func TestADisplayDoesNotHoldUpTheBuild(t *testing.T) {
	broken := errors.New("no terminal")
	for name, tt := range map[string]struct {
		progress func(context.Context, chan *client.SolveStatus) error
		want     error
	}{
		"nobody looks":          {nil, nil},
		"one that never worked": {func(context.Context, chan *client.SolveStatus) error { return broken }, broken},
		"one that broke": {func(_ context.Context, steps chan *client.SolveStatus) error {
			<-steps
			return broken
		}, broken},
		"one that outlives the interruption": {func(ctx context.Context, steps chan *client.SolveStatus) error {
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
