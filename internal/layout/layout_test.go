package layout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/beneath"
	"lamina.build/internal/layers"
	lay "lamina.build/internal/layout"
	"lamina.build/internal/test/imagetest"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *lay.Layout {
	t.Helper()
	l, err := lay.Open(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// export writes an image with one file to the layout, like a build.
func export(t *testing.T, l *lay.Layout, text string) ocispec.Descriptor {
	t.Helper()
	layer, err := layers.Tree(t.Context(), l.Store(), layers.TreeOptions{
		Name: "app", FS: fstest.MapFS{"file": {Data: []byte(text)}, "dir/x": {}}, Target: "/app",
	})
	must(t, err)
	info, err := l.Store().Info(t.Context(), layer.Image)
	must(t, err)
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: layer.Image, Size: info.Size}
}

func putJSON(t *testing.T, s content.Store, mediaType string, v any) ocispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return put(t, s, mediaType, data)
}

func put(t *testing.T, s content.Store, mediaType string, data []byte) ocispec.Descriptor {
	t.Helper()
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	must(t, content.WriteBlob(t.Context(), s, d.Digest.String(), strings.NewReader(string(data)), d))
	return d
}

func blobs(t *testing.T, dir string) int {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(found)
}

func TestTagsOfAnOCILayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist/faceblend")
	l := open(t, dir)
	prod, debug := export(t, l, "production"), export(t, l, "debug")
	prod.Annotations = map[string]string{ocispec.AnnotationCreated: "2026-01-01T00:00:00Z", "kept": "yes"}
	must(t, l.Tag(t.Context(), "production", debug), l.Tag(t.Context(), "debug", debug), l.Tag(t.Context(), "production", prod))

	tags, err := l.Tags()
	if diff := cmp.Diff([]string{"debug", "production"}, tags); diff != "" || err != nil {
		t.Errorf("tags (-want +got):\n%s%v", diff, err)
	}
	image, err := l.Read(t.Context(), "production")
	must(t, err)
	want := map[string]string{ocispec.AnnotationRefName: "production", "kept": "yes"}
	if diff := cmp.Diff(want, image.Desc.Annotations); diff != "" || image.Desc.Digest != prod.Digest {
		t.Errorf("descriptor (-want +got):\n%s", diff)
	}
	if len(image.Layers()) != 1 || image.Config.Architecture != "amd64" || len(image.Config.RootFS.DiffIDs) != 1 {
		t.Errorf("got %+v", image)
	}
	must(t, l.Close())

	// The layout is valid according to ggcr, too.
	path, err := layout.FromPath(dir)
	must(t, err)
	index, err := path.ImageIndex()
	must(t, err, validate.Index(index, validate.Fast))
	left, err := filepath.Glob(filepath.Join(dir, "*")) // including hidden files
	must(t, err)
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if diff := cmp.Diff([]string{".lease", ".lock", "blobs", "index.json", "oci-layout"}, left); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestUnknownTag(t *testing.T) {
	l := open(t, t.TempDir())
	if _, err := l.Read(t.Context(), "nope"); !errors.Is(err, lay.ErrNoTag) {
		t.Errorf("reading: %v", err)
	}
	if err := l.Tag(t.Context(), "a tag", export(t, l, "x")); err == nil {
		t.Error("a tag with a blank is accepted")
	}
	if err := l.Tag(t.Context(), "x", ocispec.Descriptor{Digest: digest.FromString("none")}); err == nil {
		t.Error("a missing image is tagged")
	}
}

func TestBuildsAtOnceLoseNoTag(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	var want []string
	for i := range 8 {
		tag := fmt.Sprintf("v%d", i)
		want = append(want, tag)
		wg.Go(func() {
			l, err := lay.Open(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			if err := l.Tag(t.Context(), tag, export(t, l, tag)); err != nil {
				t.Error(err)
			}
			if _, err := l.Cleanup(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	l := open(t, dir)
	tags, err := l.Tags()
	if diff := cmp.Diff(want, tags); diff != "" || err != nil {
		t.Errorf("tags (-want +got):\n%s%v", diff, err)
	}
	for _, tag := range tags {
		image, err := l.Read(t.Context(), tag)
		must(t, err, imagetest.Verify(t.Context(), l.Store(), image.Desc))
	}
}

func TestCleanupKeepsWhatTagsNeed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	kept, gone, nested := export(t, l, "kept"), export(t, l, "gone"), export(t, l, "nested")
	inner := putJSON(t, l.Store(), ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []ocispec.Descriptor{nested},
	})
	missing := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("elsewhere"), Size: 9}
	outer := putJSON(t, l.Store(), ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []ocispec.Descriptor{inner, missing},
	})
	must(t, l.Tag(t.Context(), "kept", kept), l.Tag(t.Context(), "outer", outer), l.Tag(t.Context(), "gone", gone))
	if removed, err := l.Cleanup(t.Context()); err != nil || removed.Blobs != 0 {
		t.Errorf("with all tags: %+v, %v", removed, err)
	}
	must(t, l.Tag(t.Context(), "gone", kept)) // untags the previous image
	other := open(t, dir)
	if removed, err := l.Cleanup(t.Context()); err != nil || !removed.Busy || removed.Blobs != 0 {
		t.Errorf("while another build runs: %+v, %v", removed, err)
	}
	must(t, other.Close())
	if removed, err := l.Cleanup(t.Context()); err != nil || removed.Blobs != 3 {
		t.Errorf("removed %+v, %v; want manifest, config and layer", removed, err)
	}
	if n := blobs(t, dir); n != 8 {
		t.Errorf("%d blobs are left, want 8", n)
	}
	images, err := lay.Images(t.Context(), l.Store(), inner)
	if err != nil || len(images) != 1 || images[0].Desc.Digest != nested.Digest {
		t.Errorf("images of the nested index: %+v, %v", images, err)
	}
}

func TestCleanupOfADamagedLayoutRemovesNothing(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	desc := export(t, l, "x")
	must(t, l.Tag(t.Context(), "x", desc))
	export(t, l, "untagged")
	path := filepath.Join(dir, "blobs/sha256", desc.Digest.Encoded())
	must(t, os.Chmod(path, 0o644), os.WriteFile(path, []byte("{}"), 0o644))
	before := blobs(t, dir)
	if _, err := l.Cleanup(t.Context()); err == nil || blobs(t, dir) != before {
		t.Errorf("got %v, %d of %d blobs", err, blobs(t, dir), before)
	}
}

// A manifest that is larger than any doesn't fill the memory.
func TestAManifestWithoutBound(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	desc := export(t, l, "x")
	must(t, l.Tag(t.Context(), "x", desc))
	blob := filepath.Join(dir, "blobs/sha256", desc.Digest.Encoded())
	must(t, os.Chmod(blob, 0o600), os.Truncate(blob, 1<<40))
	if _, err := l.Read(t.Context(), "x"); err == nil || !strings.HasSuffix(err.Error(), "1099511627776 bytes are too many for a manifest") {
		t.Errorf("got %v", err)
	}
}

func TestADirectoryOfSomethingElseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "image.toml"), nil, 0o600))
	_, err := lay.Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), `contains "image.toml" and is not a layout`) {
		t.Errorf("got %v", err)
	}
	entries, rerr := os.ReadDir(dir)
	if rerr != nil || len(entries) != 1 {
		t.Errorf("the directory now has %v (%v)", entries, rerr)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	newer, broken, cut := t.TempDir(), t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(newer, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o644),
		os.WriteFile(filepath.Join(broken, "index.json"), []byte(`{"manif`), 0o644), os.WriteFile(filepath.Join(cut, "oci-layout"), []byte(`{"ima`), 0o644))
	tests := []struct{ name, dir, want string }{
		{"a file", file, "is not a directory"},
		{"below a file", filepath.Join(file, "a/b"), "not a directory"},
		{"an unwritable place", "/proc/lamina/dist", "is not writable"},
		{"a newer layout", newer, `version "2.0.0"`},
		{"a truncated index", broken, "index.json"},
		{"a truncated version", cut, "unexpected end of JSON input"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lay.Open(t.Context(), tt.dir)
			if err == nil {
				l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestWritableLeavesNothing(t *testing.T) {
	root := t.TempDir()
	must(t, lay.Writable(beneath.Typed(filepath.Join(root, "dist/name"))))
	if left, _ := os.ReadDir(root); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	file := filepath.Join(root, "file")
	must(t, os.WriteFile(file, nil, 0o644))
	err := lay.Writable(beneath.Typed(filepath.Join(file, "dist")))
	var u *lay.UnwritableError
	if !errors.As(err, &u) || u.Hint() == "" {
		t.Errorf("got %v, want an UnwritableError with a hint", err)
	}
}

func TestIndexIsStable(t *testing.T) {
	var seen []string
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		dir := t.TempDir()
		l := open(t, dir)
		for _, tag := range order {
			must(t, l.Tag(t.Context(), tag, export(t, l, tag)))
		}
		data, err := os.ReadFile(filepath.Join(dir, "index.json"))
		must(t, err)
		seen = append(seen, string(data))
		past := time.Unix(1e9, 0)
		must(t, os.Chtimes(filepath.Join(dir, "index.json"), past, past), l.Tag(t.Context(), "a", export(t, l, "a")))
		if fi, _ := os.Stat(filepath.Join(dir, "index.json")); !fi.ModTime().Equal(past) {
			t.Error("the same tag writes the index again")
		}
	}
	if len(slices.Compact(seen)) != 1 {
		t.Errorf("the order of the builds matters:\n%s", strings.Join(seen, "\n"))
	}
}

// A failed build leaves no layout that didn't exist before it.
func TestDiscard(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, dir string)
		during func(t *testing.T, l *lay.Layout)
		want   []string // in the directory above the layout's
	}{
		{"new", nil, func(t *testing.T, l *lay.Layout) { export(t, l, "half") }, nil},
		{"the user's directory", func(t *testing.T, dir string) { must(t, os.MkdirAll(dir, 0o755)) }, nil, []string{"dist", "dist/x"}},
		{"file next to it", func(t *testing.T, dir string) {
			must(t, os.MkdirAll(filepath.Join(filepath.Dir(dir), "other"), 0o755))
		}, nil, []string{"dist", "dist/other"}},
		{"other blobs", func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, "blobs/mine"), 0o755)) }, nil, []string{
			"dist", "dist/x", "dist/x/.lease", "dist/x/.lock", "dist/x/blobs", "dist/x/blobs/mine", "dist/x/index.json", "dist/x/oci-layout",
		}},
		{"empty layout", func(t *testing.T, dir string) { must(t, open(t, dir).Close()) }, nil, []string{
			"dist", "dist/x", "dist/x/.lease", "dist/x/.lock", "dist/x/index.json", "dist/x/oci-layout",
		}},
		{"open elsewhere", nil, func(t *testing.T, l *lay.Layout) { open(t, l.Dir()) }, []string{
			"dist", "dist/x", "dist/x/.lease", "dist/x/.lock", "dist/x/index.json", "dist/x/oci-layout",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "dist", "x")
			if tt.before != nil {
				tt.before(t, dir)
			}
			l := open(t, dir)
			if tt.during != nil {
				tt.during(t, l)
			}
			must(t, l.Discard())
			var left []string
			must(t, filepath.WalkDir(parent, func(path string, _ fs.DirEntry, err error) error {
				if name, _ := filepath.Rel(parent, path); name != "." {
					left = append(left, name)
				}
				return err
			}))
			if diff := cmp.Diff(tt.want, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscardKeepsImages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	l := open(t, dir)
	must(t, l.Tag(t.Context(), "production", export(t, l, "whole")))
	must(t, l.Discard())
	if _, err := open(t, dir).Read(t.Context(), "production"); err != nil {
		t.Error(err)
	}
}

// Builds that fail simultaneously in one new directory don't harm another one that is
// opening it.
func TestDiscardWhileOthersOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist", "x")
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 20 {
				l, err := lay.Open(t.Context(), dir)
				if err == nil && n == 0 {
					_, err = l.Tags()
				}
				if err == nil {
					err = l.Discard()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Builds that fail alongside others in one new directory remove nothing of theirs.
func TestDiscardAlongsideBuildsThatTag(t *testing.T) {
	for range 5 {
		dir := filepath.Join(t.TempDir(), "dist", "x")
		var wg sync.WaitGroup
		var want []string
		for n := range 8 {
			tag := fmt.Sprintf("v%d", n)
			if n%2 == 0 {
				want = append(want, tag)
			}
			wg.Go(func() {
				l, err := lay.Open(t.Context(), dir)
				if err != nil {
					t.Error(err)
					return
				}
				desc := export(t, l, tag)
				if n%2 != 0 {
					err = l.Discard()
				} else {
					err = errors.Join(l.Tag(t.Context(), tag, desc), l.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		l := open(t, dir)
		tags, err := l.Tags()
		if diff := cmp.Diff(want, tags); diff != "" || err != nil {
			t.Errorf("tags (-want +got):\n%s%v", diff, err)
		}
		if _, err = l.Cleanup(t.Context()); err != nil {
			t.Error(err)
		}
		for _, tag := range tags {
			image, err := l.Read(t.Context(), tag)
			must(t, err, imagetest.Verify(t.Context(), l.Store(), image.Desc))
		}
	}
}

// A process killed while replacing the index has left a temporary file.
func TestOpenCleansUpHalfAnIndex(t *testing.T) {
	dir := t.TempDir()
	must(t, open(t, dir).Close())
	half := filepath.Join(dir, ".index.json.lamina-ABCDEFGHIJ")
	must(t, os.WriteFile(half, []byte("{"), 0o600))
	must(t, open(t, dir).Close())
	if _, err := os.Stat(half); err == nil {
		t.Error("it still exists")
	}
}

// A layer that is missing or altered is found only by reading it.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	defer l.Close()
	must(t, l.Tag(t.Context(), "production", export(t, l, "one")))
	image, err := l.Read(t.Context(), "production")
	must(t, err, l.Verify(t.Context(), image))
	path := filepath.Join(dir, "blobs", "sha256", image.Layers()[0].Digest.Encoded())
	data, err := os.ReadFile(path)
	must(t, err, os.Remove(path))
	for what, there := range map[string][]byte{"another digest": append([]byte("x"), data[1:]...), "not found": nil} {
		must(t, os.RemoveAll(path))
		if there != nil {
			must(t, os.WriteFile(path, there, 0o600))
		}
		if err := l.Verify(t.Context(), image); err == nil || !strings.Contains(err.Error(), "layer 1, "+image.Layers()[0].Digest.String()) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, os.WriteFile(path, data, 0o600))
	if err := l.Verify(ctx, image); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
