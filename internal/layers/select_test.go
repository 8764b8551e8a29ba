package layers_test

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"lamina.build/internal/layers"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	paths := []string{"config.json", "pose/a.bin", "pose/deep/b.bin", "pose/deep/readme.md", "z.md", "ünï code.bin"}
	tests := []struct {
		name             string
		include, exclude []string
		want             string
	}{
		{"all", nil, nil, strings.Join(paths, ",")},
		{"a directory includes its content", []string{"pose"}, nil, "pose/a.bin,pose/deep/b.bin,pose/deep/readme.md"},
		{"one element", []string{"*.bin"}, nil, "ünï code.bin"},
		{"any elements", []string{"**/*.bin"}, nil, "pose/a.bin,pose/deep/b.bin,ünï code.bin"},
		{"without", nil, []string{"**/*.md", "pose/a.bin"}, "config.json,pose/deep/b.bin,ünï code.bin"},
		{"and back", []string{"pose"}, []string{"pose/deep", "!pose/deep/b.bin"}, "pose/a.bin,pose/deep/b.bin"},
		{"none", []string{"nothing"}, nil, ""},
	}
	for _, tt := range tests {
		got, err := layers.Select(paths, tt.include, tt.exclude)
		if strings.Join(got, ",") != tt.want || err != nil {
			t.Errorf("%s: got %q, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	backwards := slices.Clone(paths)
	slices.Reverse(backwards)
	if got, err := layers.Select(backwards, nil, []string{"*.md"}); err != nil || got[0] != "ünï code.bin" || len(got) != 5 {
		t.Errorf("another order: got %q, %v", got, err)
	}
	if got, err := layers.Select([]string{"/a", "/", ".", "../b"}, nil, []string{"b"}); err != nil || !slices.Equal(got, []string{"/a", "../b"}) {
		t.Errorf("paths outside a tree: got %q, %v", got, err)
	}
	for _, bad := range []struct {
		include, exclude []string
		want             string
	}{
		{[]string{"x", "!x"}, nil, `include pattern "!x": only an exclude pattern may begin with "!"`},
		{[]string{"a["}, nil, `reading include patterns: pattern "a[": syntax error in pattern`},
		{nil, []string{"!a["}, `reading exclude patterns: pattern "!a[": syntax error in pattern`},
	} {
		_, err := layers.Select(paths, bad.include, bad.exclude)
		if pattern, ok := errors.AsType[*layers.PatternError](err); !ok || err.Error() != bad.want || pattern.Unwrap() == nil {
			t.Errorf("got %v, want %s", err, bad.want)
		}
	}
}

// FuzzSelectAgreesWithTheWalk compares the selection of paths with that of a tree that
// has them.
func FuzzSelectAgreesWithTheWalk(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"a", "a/b\n!a/b/c"}, {"**/c", "*"}, {"a/*", "!x"}, {"**", "**/b"}} {
		f.Add(seed[0], seed[1], "n/d")
	}
	f.Fuzz(func(t *testing.T, include, exclude, name string) {
		fsys := fstest.MapFS{"a/b/c": {}, "a/x": {}, "b": {}, "c/c": {}}
		if fs.ValidPath(name) && utf8.ValidString(name) && !strings.ContainsAny(name, "\\\x00") && !strings.Contains(name, ".wh.") && strings.HasPrefix(name, "n/") {
			fsys[name] = &fstest.MapFile{}
		}
		got, err := layers.Select(slices.Sorted(maps.Keys(fsys)), []string{include}, []string{exclude})
		walked, walkErr := layers.Selected(layers.TreeOptions{FS: fsys, Target: "/t", Include: []string{include}, Exclude: []string{exclude}})
		if errors.Is(walkErr, layers.ErrEmpty) {
			walkErr = nil
		}
		walked = slices.DeleteFunc(walked, func(name string) bool { return strings.HasSuffix(name, "/") })
		for i, name := range walked {
			walked[i] = strings.TrimPrefix(name, "/t/")
		}
		slices.Sort(got)
		slices.Sort(walked)
		if (err == nil) != (walkErr == nil) || err == nil && !slices.Equal(got, walked) {
			t.Errorf("got %q, %v, and the walk %q, %v", got, err, walked, walkErr)
		}
	})
}
