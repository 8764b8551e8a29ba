package debian

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/imagetest"
)

// same compares the images of two users, and reports the files that differ.
func same(t *testing.T, here, there *e2etest.User) {
	t.Helper()
	got, want := there.Digest(t), here.Digest(t)
	if got == want {
		return
	}
	t.Errorf("digest is %s elsewhere, %s here", got, want)
	a, b := contents(t, here), contents(t, there)
	for path, entry := range a {
		if b[path] != entry {
			t.Errorf("%s is %q elsewhere, %q here", path, b[path], entry)
		}
		delete(b, path)
	}
	for path := range b {
		t.Errorf("%s is only elsewhere", path)
	}
}

// contents describes each entry of an image: its type, owner and content.
func contents(t *testing.T, u *e2etest.User) map[string]string {
	t.Helper()
	all := map[string]string{}
	l, image := u.Image(t, "production")
	for _, layer := range image.Manifest.Layers {
		if err := imagetest.Tar(t.Context(), l.Store(), layer, func(r io.Reader) error {
			for entries := tar.NewReader(r); ; {
				h, err := entries.Next()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				sum := sha256.New()
				if _, err = io.Copy(sum, entries); err != nil {
					return err
				}
				all[h.Name] = fmt.Sprintf("%s %d:%d %s %v %d bytes %x", h.FileInfo().Mode(), h.Uid, h.Gid, h.Linkname, h.PAXRecords, h.Size, sum.Sum(nil)[:8])
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
