package layers_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// newStore opens a plain store, which must be sufficient for everything here.
func newStore(t testing.TB) (content.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := local.NewStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// tree makes a directory. A name that ends in "/" is a directory, content that begins with
// "-> " is a symlink, content that begins with "#!" is executable.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		switch {
		case name[len(name)-1] == '/':
			must(t, os.MkdirAll(p, 0o755))
		case len(text) > 3 && text[:3] == "-> ":
			must(t, os.Symlink(text[3:], p))
		case len(text) > 2 && text[:2] == "#!":
			must(t, os.WriteFile(p, []byte(text), 0o755))
		default:
			must(t, os.WriteFile(p, []byte(text), 0o644))
		}
	}
	return dir
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// rooted returns what the command passes: a file system that nothing leads out of.
func rooted(t testing.TB, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func uncompressed(t testing.TB, s content.Store, l llb.Layer) io.Reader {
	t.Helper()
	ra, err := s.ReaderAt(context.WithoutCancel(t.Context()), l.Blob)
	must(t, err)
	t.Cleanup(func() { ra.Close() })
	r := content.NewReader(ra)
	if l.Blob.MediaType == ocispec.MediaTypeImageLayerZstd {
		z, err := zstd.NewReader(r)
		must(t, err)
		t.Cleanup(z.Close)
		r = z
	}
	return r
}

// headers lists a layer's entries: "drwxr-xr-x app/".
func headers(t testing.TB, s content.Store, l llb.Layer) (list []string) {
	t.Helper()
	tr := tar.NewReader(uncompressed(t, s, l))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		must(t, err)
		line := h.FileInfo().Mode().String() + " " + h.Name
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		if h.ModTime.Unix() != 315532800 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || len(h.PAXRecords) > 0 {
			line += " with its own time, owner or record"
		}
		list = append(list, line)
	}
}

// stored counts the files of a store's directory.
func stored(t testing.TB, dir string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}
