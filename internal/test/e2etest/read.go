package e2etest

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"lamina.build/internal/layout"
)

// Read returns a file of the lowest layer, where the runtime is.
func Read(t *testing.T, l *layout.Layout, image layout.Image, name string) string {
	t.Helper()
	blob, err := os.Open(filepath.Join(l.Dir(), "blobs", "sha256", image.Manifest.Layers[0].Digest.Encoded()))
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	plain, err := zstd.NewReader(blob)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("looking for %s in the image: %v", name, err)
		}
		if h.Name == name {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
}
