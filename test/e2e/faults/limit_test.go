package faults

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/layers"
	"lamina.build/internal/prepare"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// A build backend that never ends is stopped, and its sdist named.
func TestRealBackendNeverEnds(t *testing.T) {
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{}, testworld.Sdist{Name: "endless", Files: map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n", "backend.py": "import time\ntime.sleep(1e6)\n",
	}})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "beta")
	u.Build(t, "lock", dir)
	text, err := os.ReadFile(filepath.Join(dir, spec.FileName))
	if err != nil {
		t.Fatal(err)
	}
	file, err := spec.Parse(spec.FileName, text)
	if err != nil {
		t.Fatal(err)
	}
	production, err := file.Variant(spec.Production)
	if err != nil {
		t.Fatal(err)
	}
	store, err := layers.OpenStore(t.Context(), filepath.Join(t.TempDir(), "packed"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := e2etest.ReadLock(t, dir)
	kept := filepath.Join(u.Cache, "lamina")
	in, err := prepare.Builder(t.Context(), prepare.Options{
		Root: os.DirFS(dir), Spec: production, Lock: l, Mirrors: testworld.RealMirrors(t), Store: store,
		Getter: debian.NewGetter(filepath.Join(kept, "files")), ToolsDir: filepath.Join(kept, "tools"),
	})
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Edit(t, filepath.Join(dir, "requirements.txt"), "beta", "endless")
	files, err := requirements.Read(requirements.Options{FS: os.DirFS(dir), Requirements: []string{"requirements.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("/tmp", "lamina-") //nolint:usetesting // with a short path, and for nobody else
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(sockets)
	err = uv.Resolve(t.Context(), uv.Options{
		Client: enginetest.Client(t), Builder: stages.Builder(in), Image: stages.Runtime(in)[0], Store: store, Platform: in.Platform,
		Project: os.DirFS(dir), Requests: []uv.Request{{Set: lock.ParseSet("python"), Files: files}}, Indexes: uv.Indexes{Default: x.URL},
		HTTP: fetch.New(fetch.Options{}), Dir: sockets, CacheID: rand.Text(), Limit: 8 * time.Second, Note: func(string) {},
	}, &l)
	if err == nil || failure.KindOf(err) != failure.Usage {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"it took longer than 8s", "endless-1.0.tar.gz"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}
