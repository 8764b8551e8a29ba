package lamina

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// This program's example replaces another program's, and the lock stays.
func TestMirror(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "example")
	files := func(texts ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for i := 0; i < len(texts); i += 2 {
			m[texts[i]] = &fstest.MapFile{Data: []byte(texts[i+1])}
		}
		return m
	}
	for _, one := range []fstest.MapFS{
		files("image.toml", "old", "app/gone.py", "x", "app/.dockerignore", "tests"),
		files("image.toml", "new", "app/come.py", "y", "app/.dockerignore", "tests"),
	} {
		if err := mirror(dir, one); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, LockName), []byte("locked"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, name := range []string{"image.toml", "image.lock", "app/gone.py", "app/come.py", "app/.dockerignore"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			got[name] = string(text)
		}
	}
	want := map[string]string{"image.toml": "new", "image.lock": "locked", "app/come.py": "y", "app/.dockerignore": "tests"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
