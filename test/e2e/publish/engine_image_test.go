package publish

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
)

// The engine's own image has the programs that it needs, and they run: its smoke tests
// print their versions.
func TestRealEngineImage(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "verify" {
		t.Skip("it builds an image of git and runc: LAMINA_REAL=verify runs it")
	}
	u, dir := e2etest.NewUser(t), filepath.Join(t.TempDir(), "engine")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(e2etest.Root(t), "examples", "engine"))); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(enginetest.Options(t).CacheDir, "engine", engine.Version+"-*", "buildkitd"))
	if err != nil || len(found) == 0 {
		t.Fatalf("the tests' engine was not compiled: %v", err)
	}
	program, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(dir, "app", "buildkitd"), program)
	if err := os.Chmod(filepath.Join(dir, "app", "buildkitd"), 0o755); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(dir, "app", "buildkitd.toml"), []byte(u.Build(t, "engine", "config").Stdout))
	r := u.Build(t, dir, "--progress", "plain")
	if !strings.Contains(r.Stdout, "/usr/libexec/lamina-engine") {
		t.Errorf("built\n%s", r.Stdout)
	}
	if _, err := os.Stat(filepath.Join(u.Dir, "dist", "engine", "index.json")); err != nil {
		t.Error(err)
	}
}
