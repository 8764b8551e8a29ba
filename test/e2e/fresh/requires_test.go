package fresh

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/llb"
)

// A layer from an inline cache counts as checked where it was made: neither it nor its check
// is made again for another app. The graph is like that of stages, with a copy in place of
// the check; if the image required it, both would be made.
func TestRealInlineCacheBringsTheCheck(t *testing.T) {
	t.Parallel()
	r, now := newRegistry(t), time.Now().String()
	image := func(app string) llb.State {
		layer := llb.Text("layer", "/layer", now)
		check := bkllb.Scratch().File(bkllb.Copy(layer, "/layer", "/checked"), bkllb.WithCustomName("check: layer"))
		return llb.Merge("image", layer.Requires("check", check), llb.Text("app", "/app", app)).Requires("smoke", llb.Text("test", "/test", app))
	}
	first := made(t, e2etest.FreshEngine(t), image("1"), r.host+"/a:1", r.host+"/a:1")
	if !slices.Contains(first, "check: layer") || !slices.Contains(first, "layer: one layer") {
		t.Fatalf("at first %q were made: this test looks at the wrong thing", first)
	}
	there := made(t, e2etest.FreshEngine(t), image("2"), r.host+"/a:2", r.host+"/a:1")
	for _, step := range []string{"layer: one layer", "check: layer"} {
		if slices.Contains(there, step) {
			t.Errorf("the cache brings the layer, but %q was made again, among %q", step, there)
		}
	}
}

// made solves an image, pushes it with an inline cache, and returns the steps that ran.
func made(t *testing.T, e *engine.Engine, s llb.State, to, from string) (steps []string) {
	t.Helper()
	def, err := s.Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	status, done := make(chan *client.SolveStatus), make(chan struct{})
	go func() {
		defer close(done)
		for st := range status {
			for _, v := range st.Vertexes {
				if v.Completed != nil && !v.Cached {
					steps = append(steps, v.Name)
				}
			}
		}
	}()
	attrs := map[string]string{"name": to, "push": "true", "registry.insecure": "true"}
	_, err = e.Client().Solve(t.Context(), def, client.SolveOpt{
		Exports:      []client.ExportEntry{{Type: client.ExporterImage, Attrs: attrs}},
		CacheExports: []client.CacheOptionsEntry{{Type: "inline"}},
		CacheImports: []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{"ref": from, "registry.insecure": "true"}}},
	}, status)
	<-done
	if err != nil {
		t.Fatal(fmt.Errorf("solving %s: %w", to, err))
	}
	return steps
}
