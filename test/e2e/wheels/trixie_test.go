package wheels

import (
	"path/filepath"
	"slices"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// The next Debian has another Python, another pip and another installer.
func TestRealWheelsOnTrixie(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true, Metadata: true},
		testworld.Sdist{Name: "gamma", Version: "0.7", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha", "gamma")
	spec := filepath.Join(dir, "image.toml")
	e2etest.Edit(t, spec, `packages = ["python3"]`, "packages = [\"python3\"]\nsuites = [\"trixie\", \"trixie-security\"]")
	e2etest.Edit(t, spec, "[python]\n", "[smoke]\nimports = [\"alpha\", \"beta\", \"gamma\"]\n[python]\n")
	u.Build(t, dir)
	files := e2etest.Site(t, u)
	for _, want := range []string{"alpha/__init__.py", "alpha/__pycache__/__init__.cpython-313.pyc", "gamma.py"} {
		if !slices.Contains(files, want) {
			t.Errorf("the image has no %s, but %q", want, files)
		}
	}
}
