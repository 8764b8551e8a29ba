package e2etest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/enginetest"
)

// Alone returns a user who has only a private engine, below a cache directory with the programs
// of the tests' engine; and the state directory of that engine.
func Alone(t *testing.T, cache string) (u *User, state string) {
	t.Helper()
	enginetest.Engine(t) // compiles it
	u = &User{Dir: t.TempDir(), Cache: cache}
	u.Env = []string{"PATH=" + filepath.Dir(enginetest.Runc(t)) + ":" + os.Getenv("PATH")} //nolint:forbidigo // a fixture is the edge of a test process
	state = filepath.Join(u.Cache, "lamina", "engine")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	compiled, err := filepath.Glob(filepath.Join(enginetest.Options(t).CacheDir, "engine", engine.Version+"-*[0-9a-f]"))
	if err != nil || len(compiled) == 0 {
		t.Fatalf("no compiled engine: %v", err)
	}
	for _, dir := range compiled {
		if err := os.Symlink(dir, filepath.Join(state, filepath.Base(dir))); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, err := engine.Stop(context.WithoutCancel(t.Context()), engine.Options{CacheDir: filepath.Dir(state)}, true)
		if err != nil {
			t.Error(err)
		}
	})
	return u, state
}

// ShortDir makes a directory whose path is short enough for a socket.
func ShortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "own-") //nolint:usetesting // short enough
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
