package layers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layers"
)

func model() fstest.MapFS {
	return fstest.MapFS{
		"config.json":        {Data: []byte("{}"), Mode: 0o755},
		"unet/a.safetensors": {Data: make([]byte, layers.LargeFile)},
		"unet/b.safetensors": {Data: []byte("b")},
		"README.md":          {Data: []byte("read me")},
		"old.bin":            {Data: []byte("old")},
	}
}

func TestWeights(t *testing.T) {
	s, _ := newStore(t)
	o := layers.WeightsOptions{
		Name: "weights", FS: model(), Target: "/models/m", Exclude: []string{"*.md"}, Rename: map[string]string{"old.bin": "vae/new.bin"},
	}
	layers, err := layers.Weights(t.Context(), s, o)
	must(t, err)
	got := map[string][]string{}
	for _, l := range layers {
		got[l.Name] = headers(t, s, l)
		if l.Blob.Digest != l.DiffID || l.Blob.Size != l.Size || l.Blob.MediaType != ocispec.MediaTypeImageLayer {
			t.Errorf("layer %q is not stored uncompressed: %+v", l.Name, l)
		}
	}
	want := map[string][]string{
		"weights/config.json and 2 more": {
			"drwxr-xr-x models/", "drwxr-xr-x models/m/", "-rwxr-xr-x models/m/config.json",
			"drwxr-xr-x models/m/unet/", "-rw-r--r-- models/m/unet/b.safetensors",
			"drwxr-xr-x models/m/vae/", "-rw-r--r-- models/m/vae/new.bin",
		},
		"weights/unet/a.safetensors": {
			"drwxr-xr-x models/", "drwxr-xr-x models/m/", "drwxr-xr-x models/m/unet/", "-rw-r--r-- models/m/unet/a.safetensors",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestWeightsJoinedIsSaid(t *testing.T) {
	s, _ := newStore(t)
	var notes []string
	o := layers.WeightsOptions{
		Name: "w", FS: model(), Target: "/m", Limit: 1, Note: func(n string) { notes = append(notes, n) },
	}
	layers, err := layers.Weights(t.Context(), s, o)
	must(t, err)
	if len(layers) != 1 || len(notes) != 1 || !strings.Contains(notes[0], "5 files joined into 1 layers") {
		t.Errorf("%d layers, notes %q", len(layers), notes)
	}
}

func TestWeightsProblems(t *testing.T) {
	tests := []struct {
		name   string
		rename map[string]string
		reason string // of each problem
		want   []string
	}{
		{
			"escaping names",
			map[string]string{"config.json": "../x", "old.bin": "/etc/x", "README.md": "."},
			"is not a clean path below the target",
			[]string{"README.md", "config.json", "old.bin"},
		},
		{"two of one name", map[string]string{"old.bin": "config.json"}, "another file has the same name", []string{"old.bin"}},
		{"a file below a file", map[string]string{"old.bin": "config.json/x"}, `lies below the file "m/config.json"`, []string{"m/config.json/x"}},
		{"not there", map[string]string{"none": "x", "nothing": "y"}, "should be renamed, but is not among the files", []string{"none", "nothing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := newStore(t)
			_, err := layers.Weights(t.Context(), s, layers.WeightsOptions{Name: "w", FS: model(), Target: "/m", Rename: tt.rename})
			if diff := cmp.Diff(tt.want, entryProblems(err)); diff != "" {
				t.Errorf("refused (-want +got):\n%s\n%v", diff, err)
			}
			if err == nil || strings.Count(err.Error(), tt.reason) != len(tt.want) {
				t.Errorf("got %v, want %q for each", err, tt.reason)
			}
			if n := stored(t, dir); n != 0 {
				t.Errorf("%d files were written", n)
			}
		})
	}
	t.Run("links of a model cache", func(t *testing.T) {
		s, _ := newStore(t)
		dir := tree(t, map[string]string{"blob": "x", "model.bin": "-> blob"})
		_, err := layers.Weights(t.Context(), s, layers.WeightsOptions{Name: "w", FS: rooted(t, dir).FS(), Target: "/m"})
		if diff := cmp.Diff([]string{"model.bin"}, entryProblems(err)); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
	})
}

// The digest of a set is what `sha256sum FILES | sort | sha256sum` prints.
func TestSetDigest(t *testing.T) {
	fsys := fstest.MapFS{"b": {Data: []byte("hello\n")}, "dir/a": {Data: []byte("world\n")}, "skip": {}}
	sums, err := layers.Sums(t.Context(), fsys, nil, []string{"skip"})
	must(t, err)
	want := digest.FromString(
		"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  b\n" +
			"e258d248fda94c63753607f7c4494ee0fcbe92f1a76bfdac795c9d84101eb317  dir/a\n",
	)
	if got := layers.SetDigest(sums); got != want {
		t.Errorf("got %s, want %s; sums %v", got, want, sums)
	}
}

func TestSumsOfWhatCannotBeRead(t *testing.T) {
	dir := tree(t, map[string]string{"a": "a", "dir/link": "-> nothing"})
	sums, err := layers.Sums(t.Context(), rooted(t, dir).FS(), nil, nil)
	if want := digest.FromString("a"); err != nil || len(sums) != 1 || sums["a"] != want {
		t.Errorf("a file next to a link: %v, %v", sums, err)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("interrupted"))
	if _, err = layers.Sums(stopped, rooted(t, dir).FS(), nil, nil); err == nil || err.Error() != `hashing "a": interrupted` {
		t.Errorf("interrupted: %v", err)
	}
}

func BenchmarkWeights(b *testing.B) {
	fsys := fstest.MapFS{}
	for i := range 400 {
		fsys[fmt.Sprintf("part/%03d.bin", i)] = &fstest.MapFile{Data: make([]byte, 256<<10)}
	}
	s, _ := newStore(b)
	o := layers.WeightsOptions{Name: "w", FS: fsys, Target: "/m"}
	b.SetBytes(400 * 256 << 10)
	for b.Loop() { // the first writes, the others find everything
		if _, err := layers.Weights(b.Context(), s, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTree(b *testing.B) {
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("pkg%02d/mod%03d.py", i%20, i)] = strings.Repeat(fmt.Sprintf("def f%d(): pass\n", i), 200)
	}
	fsys := rooted(b, tree(b, files)).FS()
	s, _ := newStore(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := layers.Tree(b.Context(), s, layers.TreeOptions{Name: "app", FS: fsys, Target: "/app"}); err != nil {
			b.Fatal(err)
		}
	}
}
