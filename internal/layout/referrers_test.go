package layout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
)

// Documents are kept through cleanups as long as their image has a tag, and go with its last one.
func TestDocumentsGoWithTheirImage(t *testing.T) {
	l, err := layout.Open(t.Context(), filepath.Join(t.TempDir(), "layout"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	add := func(text string) ocispec.Descriptor {
		data, marshalErr := json.Marshal(map[string]any{"schemaVersion": 2, "annotations": map[string]string{"a": text}})
		if marshalErr != nil {
			t.Fatal(marshalErr)
		}
		d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if writeErr := content.WriteBlob(t.Context(), l.Store(), text, bytes.NewReader(data), d); writeErr != nil {
			t.Fatal(writeErr)
		}
		return d
	}
	tag := func(name string, d ocispec.Descriptor) {
		t.Helper()
		if tagErr := l.Tag(t.Context(), name, d); tagErr != nil {
			t.Fatal(tagErr)
		}
		if _, cleanupErr := l.Cleanup(t.Context()); cleanupErr != nil {
			t.Fatal(cleanupErr)
		}
	}
	document := referrer.Attachment{Type: "application/spdx+json", Name: "sbom", Created: time.Unix(0, 0), Data: []byte("{}")}
	one := add("one")
	tag("production", one)
	tag("debug", one)
	for range 2 {
		if _, err = l.Attach(t.Context(), one, []referrer.Attachment{document}); err != nil {
			t.Fatal(err)
		}
	}
	if got := readOnly(t, l.Dir(), one.Digest); got != "{}" {
		t.Errorf("opened for reading it is %q", got)
	}
	two := add("two")
	tag("production", two)
	list, err := l.Referrers(one.Digest)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v refer to a tagged image, %v", list, err)
	}
	if data, err := l.Document(t.Context(), list[0]); err != nil || string(data) != "{}" {
		t.Errorf("it is %q, %v", data, err)
	}
	if other, err := l.Referrers(two.Digest); err != nil || len(other) != 0 {
		t.Errorf("%v refer to an image without documents, %v", other, err)
	}
	two = add("two")
	tag("debug", two)
	if list, err := l.Referrers(one.Digest); err != nil || len(list) != 0 {
		t.Errorf("%v refer to an untagged image, %v", list, err)
	}
	if _, err := l.Store().Info(t.Context(), one.Digest); err == nil {
		t.Error("the documents keep the image")
	}
	if tags, err := l.Tags(); err != nil || len(tags) != 2 {
		t.Errorf("tags %v, %v", tags, err)
	}
}

// readOnly reads the document of an image in a directory that must not change.
func readOnly(t *testing.T, dir string, subject digest.Digest) string {
	t.Helper()
	state := func() (all []string) {
		err := filepath.Walk(dir, func(name string, info fs.FileInfo, err error) error {
			all = append(all, fmt.Sprint(name, info.Mode(), info.ModTime()))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	dir = copied
	for _, name := range []string{"ingest", ".lease", ".lock"} { // an unpacked archive has none of them
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := filepath.Walk(dir, func(name string, _ fs.FileInfo, _ error) error { return os.Chtimes(name, long, long) }); err != nil {
		t.Fatal(err)
	}
	before := state()
	l, err := layout.OpenToRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := l.Referrers(subject)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	data, err := l.Document(t.Context(), list[0])
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("the directory changed (-before +after):\n%s", diff)
	}
	if _, err := layout.OpenToRead(t.TempDir() + "/none"); err == nil {
		t.Error("a missing directory was opened")
	}
	return string(data)
}

// A layout opened for reading can't be written to.
func TestOpenToReadIsReadOnly(t *testing.T) {
	dir := t.TempDir()
	l, err := layout.Open(t.Context(), filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = layout.OpenToRead(filepath.Join(dir, "layout")); err != nil {
		t.Fatal(err)
	}
	document := referrer.Attachment{Type: "application/spdx+json", Name: "x", Data: []byte("x")}
	if _, err = l.Attach(t.Context(), ocispec.Descriptor{Digest: digest.FromString("x")}, []referrer.Attachment{document}); !errdefs.IsPermissionDenied(err) {
		t.Errorf("got %v", err)
	}
	if err = l.Close(); err != nil {
		t.Error(err)
	}
}
