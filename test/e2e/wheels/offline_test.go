package wheels

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// With all files in the engine a build needs no network, not even for uv's own wheel, and
// --offline allows none: what it installs again it finds by digest, whatever the lock's
// address.
func TestRealFilesInTheEngineNeedNoNetwork(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	x := w.Index(testworld.IndexOptions{JSON: true}, testworld.Wheel{Name: "alpha", Files: map[string]string{"alpha/__init__.py": "# " + time.Now().String(), "alpha/notes.md": "x"}})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha")
	u.Build(t, dir)
	w.Stop()
	l := e2etest.ReadLock(t, dir)
	l.UV.URL = "http://127.0.0.1:9/uv.whl"
	e2etest.Write(t, filepath.Join(dir, "image.lock"), l.Format())
	spec := filepath.Join(dir, "image.toml")
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, spec, []byte(strings.Replace(string(text), "[python]\n", "[python]\nprune = [\"**/*.md\"]\n", 1)))
	r := u.Build(t, dir, "--offline", "--progress", "rawjson")
	ran, _ := e2etest.Execs(r.Stderr)
	if !slices.ContainsFunc(ran, func(name string) bool { return strings.Contains(name, "small wheels: install") }) {
		t.Errorf("nothing was installed again: %q", ran)
	}
	if files := strings.Join(e2etest.Site(t, u), "\n"); !strings.Contains(files, "alpha/__init__.py") || strings.Contains(files, "notes.md") {
		t.Errorf("the image has\n%s", files)
	}
}
