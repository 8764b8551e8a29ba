package wheels

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// The scripts that run in builds pass their own tests with the Python and the libraries of
// builds.
func TestRealScriptsPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	dir := e2etest.PythonProject(t, `[app]
source = "app"
[variant.debug]
extra-packages = ["git", "python3-installer", "python3-packaging", "python3-setuptools"]
`, nil)
	// Otherwise the engine would use its cached result.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	wheels := e2etest.Needs(t, "--index-url "+e2etest.PureIndex(t, testworld.IndexOptions{}).URL, "alpha")
	u.Build(t, "lock", wheels)
	var spec strings.Builder
	spec.WriteString("\n[smoke]\nrun = [\n")
	for suite, at := range map[string]string{"install": "internal/scripts", "resolve": "internal/resolve/uv/scripts"} {
		if err := os.CopyFS(filepath.Join(dir, "app", suite), os.DirFS(filepath.Join(e2etest.Root(t), at))); err != nil {
			t.Fatal(err)
		}
		spec.WriteString(`["sh", "-c", "cd /app/` + suite + ` && UV=/app/uv PYTHONPATH=/app/install:. exec python3 -m unittest discover -s tests -t tests", "` + now + `"],` + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "app", "uv"), e2etest.UV(t, e2etest.ReadLock(t, wheels)), 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "image.toml"))
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(dir, "image.toml"), append(text, spec.String()+"]\n"...))
	r := u.Build(t, dir, "--variant", "debug", "--progress", "plain")
	// The tests of internal/scripts cover what needs root.
	if ran := strings.Count(r.Stderr, " OK\n") + strings.Count(r.Stderr, " OK (skipped=2)\n"); ran != 2 {
		t.Errorf("%d of 2 suites ran:\n%s", ran, e2etest.Tail(r.Stderr))
	}
}
