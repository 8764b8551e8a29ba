package weights_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// arrived reads everything pushed to acme/tiny:1.
func arrived(t *testing.T, r *testworld.Registry, m lock.Model) {
	t.Helper()
	check(t, m, r.ImageManifest("acme/tiny", "1"), func(d digest.Digest) []byte { return r.Blob("acme/tiny", d) })
}

// check compares an image with its model.
func check(t *testing.T, m lock.Model, data []byte, blob func(digest.Digest) []byte) {
	t.Helper()
	var manifest ocispec.Manifest
	must(t, json.Unmarshal(data, &manifest))
	got, want := map[string]string{}, map[string]string{}
	for _, l := range manifest.Layers {
		data := blob(l.Digest)
		if digest.FromBytes(data) != l.Digest || int64(len(data)) != l.Size || l.MediaType != ocispec.MediaTypeImageLayer {
			t.Errorf("%d bytes don't match %+v", len(data), l)
		}
		for tr := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			sum := sha256.New()
			_, err = io.Copy(sum, tr)
			must(t, err)
			if h.Typeflag == tar.TypeReg {
				got["/"+h.Name] = hex.EncodeToString(sum.Sum(nil))
			}
		}
	}
	for _, f := range m.Files {
		want[m.Path+"/"+m.Target(f.Path)] = f.SHA256
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-lock +image):\n%s", diff)
	}
}
