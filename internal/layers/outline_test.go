package layers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"lamina.build/internal/layers"
)

func TestOutlinesAreTheLayersOfWeights(t *testing.T) {
	files := fstest.MapFS{
		"config.json": {Data: []byte("{}")}, "a/large.bin": {Data: make([]byte, layers.LargeFile)}, "b/x": {Data: []byte("b")},
	}
	s, _ := newStore(t)
	weights, err := layers.Weights(t.Context(), s, layers.WeightsOptions{Name: "w", FS: files, Target: "/models/m"})
	must(t, err)
	var sizes []layers.Size
	for path, f := range files {
		sizes = append(sizes, layers.Size{Path: "models/m/" + path, Bytes: int64(len(f.Data))})
	}
	outlines, joined, err := layers.Outlines("w", "/models/m", sizes, 0)
	must(t, err)
	if joined || len(outlines) != len(weights) {
		t.Fatalf("%d outlines of %d layers, joined %v", len(outlines), len(weights), joined)
	}
	for i, o := range outlines {
		if l := weights[i]; o.Name != l.Name || o.Size != l.Size || !slices.Equal(o.Paths, l.Paths) {
			t.Errorf("got %s with %d bytes and %q, want %s with %d and %q", o.Name, o.Size, o.Paths, l.Name, l.Size, l.Paths)
		}
	}
}

func TestOutlinesRefuse(t *testing.T) {
	tests := []struct {
		name, target string
		files        []layers.Size
		want         []string
	}{
		{"nothing", "/m", nil, []string{"nothing to pack"}},
		{"a target", "m", []layers.Size{{Path: "m/a"}}, []string{`target "m"`}},
		{"each path", "/m", []layers.Size{
			{Path: "/m/a"}, {Path: "m/../a"}, {Path: "m/b", Bytes: -1}, {Path: "m/c"}, {Path: "m/c"}, {Path: "m/c/d"}, {Path: "m/.wh.x"}, {Path: "m/.wh.y/z"},
		}, []string{
			`path "/m/a": is not a clean path`, `path "m/../a": is not a clean path`, `path "m/b": has a negative size`,
			`path "m/c": another file has the same name in the image`, `path "m/c/d": lies below the file "m/c"`,
			`path "m/.wh.x": a name that begins with .wh. deletes files in a layer`,
			`path "m/.wh.y/z": a name that begins with .wh. deletes files in a layer`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := layers.Outlines("w", tt.target, tt.files, 0)
			if err == nil {
				t.Fatal("there is no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q isn't in:\n%v", want, err)
				}
			}
		})
	}
	if _, _, err := layers.Outlines("w", "/m", nil, 0); !errors.Is(err, layers.ErrEmpty) {
		t.Errorf("got %v, want %v", err, layers.ErrEmpty)
	}
}

func TestKeyNamesTheContent(t *testing.T) {
	key := func(path string, size int64, sum string) string {
		outlines, _, err := layers.Outlines("w", "/m", []layers.Size{{Path: path, Bytes: size}}, 0)
		must(t, err)
		return outlines[0].Key(map[string]string{path: sum}).String()
	}
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	keys := []string{key("m/x", 7, a), key("m/x", 7, b), key("m/y", 7, a), key("m/x", 8, a)}
	for i, k := range keys {
		if slices.Index(keys, k) != i {
			t.Errorf("two layers have the key %s", k)
		}
	}
	if again := key("m/x", 7, strings.ToUpper(a)); again != keys[0] {
		t.Errorf("one layer has the keys %s and %s", keys[0], again)
	}
}
