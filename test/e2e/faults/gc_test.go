package faults

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// Another client has the engine remove all that no build holds, again and again: what is
// cached is gone when a build looks for it, and what it has made when it comes back. The
// build makes it again.
func TestRealEngineRemovesWhatABuildNeeds(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "engines" {
		t.Skip("LAMINA_REAL=engines builds an image three times on an engine that has nothing")
	}
	e := e2etest.FreshEngine(t)
	u := e2etest.UserOf(t, e)
	dir := e2etest.Needs(t, "--index-url "+e2etest.PureIndex(t, testworld.IndexOptions{}).URL, "alpha")
	args := []string{dir, "-o", "type=oci", "-o", "type=docker,dest=d.tar", "-o", "type=oci,dest=a.tar,compression=gzip", "--progress", "plain"}
	u.Build(t, args...) // with everything cached
	want := u.Digest(t)
	ctx, stop := context.WithCancel(t.Context())
	removed, ended := 0, make(chan error, 1)
	go func() {
		var problems []error
		for ctx.Err() == nil {
			_, err := engine.Prune(ctx, e.Client(), engine.PruneOptions{All: true}, func(client.UsageInfo) { removed++ })
			if ctx.Err() == nil {
				problems = append(problems, err)
			}
		}
		ended <- errors.Join(problems...)
	}()
	for _, more := range [][]string{nil, {"--no-cache"}} {
		there := *u
		there.Dir = t.TempDir()
		there.Build(t, append(more, args...)...)
		if got := there.Digest(t); got != want {
			t.Errorf("%q: the image is %s, want %s", more, got, want)
		}
	}
	stop()
	if err := <-ended; err != nil || removed == 0 {
		t.Errorf("the engine removed %d records, %v", removed, err)
	}
	t.Logf("it removed %d records", removed)
	u.Build(t, args...)
	if got := u.Digest(t); got != want {
		t.Errorf("the next image is %s, want %s", got, want)
	}
}
