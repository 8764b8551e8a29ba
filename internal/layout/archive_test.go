package layout_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	lay "lamina.build/internal/layout"
)

// archived is an archive of what lies in a layout.
func archived(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(name)
	must(t, err)
	w := tar.NewWriter(f)
	must(t, w.AddFS(os.DirFS(dir)), w.Close(), f.Close())
	return name
}

func TestReadArchive(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	desc := export(t, l, strings.Repeat("content", 1000))
	must(t, l.Tag(t.Context(), "production", desc))
	want, err := l.Read(t.Context(), "production")
	must(t, err)
	got, ok, err := lay.ReadArchive(t.Context(), archived(t, dir), want.Desc)
	if err != nil || !ok {
		t.Fatalf("got %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
}

func TestReadArchiveOfAnotherImage(t *testing.T) {
	dir := t.TempDir()
	export(t, open(t, dir), "content")
	other := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("other")}
	if _, ok, err := lay.ReadArchive(t.Context(), archived(t, dir), other); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestReadArchiveThatIsBroken(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	index := putJSON(t, l.Store(), ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex})
	missing := putJSON(t, l.Store(), ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromString("config"), Size: 6},
	})
	name := archived(t, dir)
	text := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(text, bytes.Repeat([]byte("x"), 1024), 0o644))
	for _, tt := range []struct {
		name string
		desc ocispec.Descriptor
		want string
	}{
		{name, index, "the index has no image"},
		{name, missing, "not found"},
		{text, index, "invalid tar header"},
		{filepath.Join(dir, "none"), index, "no such file"},
	} {
		if _, ok, err := lay.ReadArchive(t.Context(), tt.name, tt.desc); ok || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, %v; want %q", ok, err, tt.want)
		}
	}
}
