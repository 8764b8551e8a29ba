package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRealPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"data": "data", "link": "data", "link/lamina/engine": "data/lamina/engine", "none/engine": "none/engine",
	} {
		if got := realPath(filepath.Join(dir, given)); got != filepath.Join(dir, want) {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
	if got := realPath("relative/engine"); got != "relative/engine" {
		t.Errorf("got %s", got)
	}
}
