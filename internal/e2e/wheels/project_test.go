package wheels

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/e2etest"
	"lamina.build/internal/layout"
	"lamina.build/internal/testworld"
	"lamina.build/lock"
)

// project is a folder with an image.toml that asks for Python and nothing else
// of Debian, and with some files.
func project(t *testing.T, toml string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "faceblend")
	all := map[string]string{"image.toml": "name = \"faceblend\"\n[debian]\npackages = [\"python3\"]\n" + toml}
	maps.Copy(all, files)
	for name, content := range all {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, filepath.Join(dir, name), []byte(content))
	}
	return dir
}

// needs is a project of one requirement file.
func needs(t *testing.T, lines ...string) string {
	t.Helper()
	return project(t, "[python]\nrequirements = [\"requirements.txt\"]\n",
		map[string]string{"requirements.txt": strings.Join(lines, "\n") + "\n"})
}

func readLock(t *testing.T, dir string) lock.Lock {
	t.Helper()
	name := filepath.Join(dir, "image.lock")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// titles are "name version" of a set of a lock.
func titles(l lock.Lock, set string) []string {
	var list []string
	for _, d := range l.PythonIn(set, "production") {
		list = append(list, d.Name+" "+d.Version)
	}
	return list
}

// find returns a distribution of a lock.
func find(t *testing.T, l lock.Lock, name string) lock.Distribution {
	t.Helper()
	i := slices.IndexFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("the lock has no %s", name)
	}
	return l.Distributions[i]
}

// site returns the files of the production image below site-packages.
func site(t *testing.T, u *e2etest.User) []string {
	t.Helper()
	l, image := u.Image(t, "production")
	var list []string
	for p, e := range e2etest.Files(t, l, image) {
		if below, ok := strings.CutPrefix(p, "/usr/local/lib/python3.11/dist-packages/"); ok && !e.Mode.IsDir() {
			list = append(list, below)
		}
	}
	slices.Sort(list)
	return list
}

// pureIndex is an index of a few wheels in pure Python.
func pureIndex(t *testing.T, o testworld.IndexOptions, more ...testworld.Distribution) *testworld.Index {
	t.Helper()
	return testworld.New(t).Index(o, append([]testworld.Distribution{
		testworld.Backend(),
		testworld.Wheel{Name: "alpha", Version: "1.0", Requires: []string{"beta>=2"}},
		testworld.Wheel{Name: "beta", Version: "1.0"},
		testworld.Wheel{Name: "beta", Version: "2.1"},
	}, more...)...)
}

func verify(t *testing.T, u *e2etest.User) {
	t.Helper()
	l, image := u.Image(t, "production")
	if err := layout.Verify(t.Context(), l.Store(), image.Desc, layout.VerifyOptions{}); err != nil {
		t.Errorf("verifying the image:\n%v", err)
	}
}
