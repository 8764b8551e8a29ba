package layers_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"lamina.build/internal/layers"
)

func FuzzIgnoreNeverPanics(f *testing.F) {
	for _, seed := range []string{"", "*", "!", "!*", "**/*.pyc\n!keep", "a[", "[^]", "\\", "/", "//x//", "#\n!#", "\xef\xbb\xbfx", "a/**/../b"} {
		f.Add([]byte(seed), "dir/file.txt")
	}
	f.Fuzz(func(t *testing.T, ignore []byte, name string) {
		fsys := fstest.MapFS{"a": {}, "dir/keep": {}}
		if name != "." && fs.ValidPath(name) && utf8.ValidString(name) {
			fsys[name] = &fstest.MapFile{}
		}
		list, err := layers.Selected(layers.TreeOptions{Name: "app", FS: fsys, Target: "/app", Ignore: ignore})
		if err == nil && len(list) < 2 {
			t.Errorf("selected %q", list)
		}
	})
}
