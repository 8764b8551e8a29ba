package real

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// equal tests the pipeline in a built image: its films equal those of upstream's own code,
// which is there for its preprocessing, on the same toy weights. tests names tests of
// examples/wan22-animate/equality.
func equal(t *testing.T, u *e2etest.User, dir, variant, tests string) {
	t.Helper()
	example := filepath.Join(e2etest.Root(t), "examples", "wan22-animate")
	there := filepath.Join(dir, "app", "equality")
	if err := os.CopyFS(there, os.DirFS(filepath.Join(example, "equality"))); err != nil {
		t.Fatal(err)
	}
	const first = `    ["python3", "/app/handler.py", "--check", "versions"],`
	run := `    ["sh", "-c", "cd /app/equality && exec env TQDM_DISABLE=1 PYTHONPATH=/app python3 -W ignore -m unittest -v ` + tests + `"],`
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), first, run+"\n"+first)
	r := u.Build(t, "--variant", variant, "--progress", "plain", dir)
	if !regexp.MustCompile(`\bOK\n`).MatchString(r.Stderr) {
		t.Errorf("no film was compared:\n%s", e2etest.Tail(r.Stderr))
	}
	for _, apart := range regexp.MustCompile(`\{'.*of the values`).FindAllString(r.Stderr, -1) {
		t.Log(apart)
	}
}
