package faults

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/layers"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
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
	p, err := lamina.Open(dir, lamina.Options{CacheDir: filepath.Join(u.Cache, "lamina"), Env: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var in stages.Input
	if _, err = p.Draw(t.Context(), lamina.Build{Draw: func(drawn stages.Input) (stages.Image, error) {
		in = drawn
		return stages.Image{}, nil
	}}); err != nil {
		t.Fatal(err)
	}
	builder, builderErr := stages.Builder(in)
	runtime, runtimeErr := stages.Runtime(in)
	store, err := layers.OpenStore(t.Context(), filepath.Join(u.Cache, "lamina", "packed"), time.Hour)
	if err = errors.Join(builderErr, runtimeErr, err); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e2etest.Edit(t, filepath.Join(dir, "requirements.txt"), "beta", "endless")
	files, err := reqfile.Read(reqfile.Options{FS: os.DirFS(dir), Requirements: []string{"requirements.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("/tmp", "lamina-") //nolint:usetesting // with a short path, and private
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(sockets)
	// A busy machine may not come to the sdist within the first limit.
	limit := 8 * time.Second
	for ; ; limit *= 4 {
		err = uv.Resolve(t.Context(), uv.Options{
			Client: enginetest.Client(t), Builder: builder, Image: runtime, Store: store, Platform: in.Platform,
			Project: os.DirFS(dir), Requests: []uv.Request{{Set: lock.ParseSet("python"), Files: files}}, Indexes: uv.Indexes{Default: x.URL},
			HTTP: fetch.New(fetch.Options{}), Dir: sockets, CacheID: rand.Text(), Limit: limit, Note: func(string) {},
		}, &in.Lock)
		if err == nil || strings.Contains(err.Error(), "endless-1.0.tar.gz") || limit > time.Minute {
			break
		}
	}
	if err == nil || failure.KindOf(err) != failure.Usage {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{fmt.Sprintf("it took longer than %s", limit), "endless-1.0.tar.gz"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not have %q: %v", want, err)
		}
	}
}
