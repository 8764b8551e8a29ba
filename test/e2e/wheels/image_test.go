package wheels

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

func TestRealEveryKindOfRequirement(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	dir, x := e2etest.EveryKind(t)
	u.Build(t, dir)
	l := e2etest.ReadLock(t, dir)
	want := []string{"alpha 1.0", "beta 2.1", "direct 0.1", "facemesh 0.7.3", "heavy 1.0", "own 5.0", "treelib 2.0"}
	if diff := cmp.Diff(want, e2etest.Titles(l)); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	for set, want := range map[string]string{"facemesh": "generator setuptools wheel", "treelib": "setuptools wheel"} {
		var names []string
		for _, title := range e2etest.BuildTitles(l, set) {
			names = append(names, strings.Fields(title)[0])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s is built with %s, want %s", set, got, want)
		}
	}
	if d := e2etest.Find(t, l, "heavy"); d.Size < 101e6 || d.Unpacked < 101e6 || d.URL != x.FileURL(d.File) {
		t.Errorf("heavy is locked as %+v", d)
	}
	if d := e2etest.Find(t, l, "own"); d.URL != "file:wheels/own-5.0-py3-none-any.whl" {
		t.Errorf("own is locked as %+v", d)
	}
	e2etest.Verify(t, u)
	_, image := u.Image(t, "production")
	var layers []string
	for name := range e2etest.Layers(image) {
		layers = append(layers, name)
	}
	slices.Sort(layers)
	wantLayers := []string{"app /app", "runtime 93 Debian packages", "wheels 4 small wheels", "wheels facemesh 0.7.3", "wheels heavy 1.0", "wheels treelib 2.0"}
	wantLayers[1] = layers[1] // Debian's number is its own
	if diff := cmp.Diff(wantLayers, layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	checkSite(t, e2etest.Site(t, u))
}

// checkSite checks which files installed wheels have.
func checkSite(t *testing.T, files []string) {
	t.Helper()
	for _, want := range []string{
		"alpha/__init__.py", "alpha/__pycache__/__init__.cpython-311.pyc", "alpha-1.0.dist-info/RECORD", "alpha/py.typed", "alpha/api.pyi", "alpha/tests/test_alpha.py",
		"facemesh/core.cpython-311-x86_64-linux-gnu.so", "heavy/blob.bin", "treelib.py",
	} {
		if !slices.Contains(files, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	for _, file := range files {
		base := filepath.Base(file)
		if slices.Contains([]string{".a", ".cc"}, filepath.Ext(file)) ||
			slices.Contains([]string{"INSTALLER", "REQUESTED", "direct_url.json"}, base) ||
			strings.HasPrefix(file, "generator") || strings.HasPrefix(file, "setuptools") {
			t.Errorf("the image has %s", file)
		}
	}
}

// A change of one small wheel changes the layer of the small ones, and no other.
func TestRealChangeOfAWheelMovesItsLayer(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true},
		testworld.Wheel{Name: "heavy", Version: "1.0", Size: 101e6},
		testworld.Wheel{Name: "medium", Version: "1.0", Size: 11e6},
		testworld.Sdist{Name: "gamma", Version: "1.0", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"},
	)
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha", "heavy", "medium", "gamma")
	u.Build(t, dir)
	_, before := u.Image(t, "production")
	x.Publish(testworld.Wheel{Name: "alpha", Version: "1.1", Requires: []string{"beta>=2"}})
	moving := u.Build(t, "lock", "--upgrade", dir)
	r := u.Build(t, dir, "--progress", "rawjson")
	_, after := u.Image(t, "production")
	var moved []string
	for name, d := range e2etest.Layers(after) {
		if e2etest.Layers(before)[name] != d {
			moved = append(moved, name)
		}
	}
	if diff := cmp.Diff([]string{"wheels 2 small wheels"}, moved); diff != "" {
		t.Errorf("changed layers (-want +got):\n%s", diff)
	}
	if !strings.Contains(moving.Stdout, "~ python alpha 1.0 → 1.1") {
		t.Errorf("the change of the lock is not printed:\n%s", moving.Stdout)
	}
	ran, _ := e2etest.Execs(r.Stderr)
	for _, name := range ran {
		if strings.Contains(name, "compile") || strings.Contains(name, "heavy") || strings.Contains(name, "medium") {
			t.Errorf("%q ran although nothing of it changed", name)
		}
	}
}
