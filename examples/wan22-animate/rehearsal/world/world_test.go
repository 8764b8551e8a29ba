package world_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/debian"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

const example = "../.."

func options(t *testing.T, example fs.FS) world.Options {
	t.Helper()
	return world.Options{
		Example: example, Mirrors: testworld.RealMirrors(t),
		Getter: debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files")),
	}
}

// A rehearsal uses the example as shipped: only addresses differ, and all of these do.
func TestRealProjectIsTheExample(t *testing.T) {
	t.Parallel()
	err := testworld.During(t.Context(), t.TempDir(), func(program testing.TB) error {
		isTheExample(t, world.New(program, options(t, os.DirFS(example)))) // like the command's
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func isTheExample(t *testing.T, w *world.World) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := w.Project(dir); err != nil {
		t.Fatal(err)
	}
	if n := w.Size(); n < 10_000_000 || n > 60_000_000 {
		t.Errorf("the distributions have %d bytes", n)
	}
	var got []string
	for _, r := range w.Replacements() {
		if r.Times != 1 || !strings.Contains(r.New, w.URL) && len(r.New) != 40 {
			t.Errorf("%+v", r)
		}
		got = append(got, r.File+": "+r.Old)
	}
	want := []string{
		"image.toml: 42bf4cfaa384bc21833865abc2f9e6c0e67233dc",
		"image.toml: https://github.com/Wan-Video/Wan2.2",
		"requirements.txt: 2b90b9f5ceec907a1c18123530e92e794ad901a4",
		"requirements.txt: https://github.com/facebookresearch/sam2.git",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tree(t, example), undone(tree(t, dir), w.Replacements())); diff != "" {
		t.Errorf("with all replacements undone (-example +project):\n%s", diff)
	}
}

// tree returns the files below a directory, without a lock and the rehearsal.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if name == "rehearsal" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || name == "image.lock" {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func undone(files map[string]string, list []world.Replacement) map[string]string {
	for _, r := range slices.Backward(list) {
		files[r.File] = strings.Replace(files[r.File], r.New, r.Old, r.Times)
	}
	return files
}
