package sources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/llb"
	"lamina.build/output"
	"lamina.build/stages"
)

// A program's own stage fetches what the program allows. The engine denies all other sources
// that neither lock nor spec names, even another commit of a tree.
func TestRealSourcesThatNothingNames(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	content := []byte("fetched " + t.Name())
	w.Put("files/own.txt", content)
	tree := w.Git("tree", map[string]string{"a.txt": "a"})
	dir := e2etest.PythonProject(t, "[[git]]\nurl = \""+tree.URL+"\"\ncommit = \""+tree.Commit+"\"\npath = \"/opt/tree\"\n", nil)
	u.Build(t, "lock", dir)
	p, err := lamina.Open(dir, lamina.Options{CacheDir: filepath.Join(u.Cache, "lamina"), Env: os.Getenv, Engines: []string{u.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	file := llb.Fetch(w.URL+"/files/own.txt", digest.FromBytes(content), "own.txt")
	locked := tree.Commit
	later := tree.Push(map[string]string{"b.txt": "b"})
	for _, tt := range []struct {
		name   string
		source llb.State
		allow  []llb.State
		denied string // "" if it is built
	}{
		{"unnamed file", file, nil, w.URL + "/files/own.txt"},
		{"allowed file", file, []llb.State{file}, ""},
		{"allowed with another digest", llb.Fetch(w.URL+"/files/own.txt", digest.FromString("x"), "own.txt"), []llb.State{file}, w.URL + "/files/own.txt"},
		{"another commit", llb.Git(tree.URL, later), nil, later},
		{"the spec's commit", llb.Git(tree.URL, locked), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := p.Build(t.Context(), lamina.Build{
				Smoke: stages.SmokeOff, Allow: tt.allow, Outputs: []output.Output{{Type: output.OCI, Dest: t.TempDir()}},
				Draw: func(in stages.Input) (stages.Image, error) {
					return stages.New(in, stages.Part{Stage: "own", State: llb.Clean("own", tt.source, "/", "/opt/own"), Layers: []stages.Layer{{What: "own"}}})
				},
			})
			if tt.denied == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || lamina.KindOf(err) != lamina.Findings || !strings.Contains(err.Error(), "the engine may not fetch ") || !strings.Contains(err.Error(), tt.denied) ||
				!strings.Contains(strings.Join(lamina.Hints(err), "\n"), "Allow") {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}
