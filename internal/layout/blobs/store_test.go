package blobs_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout/blobs"
)

func open(t *testing.T, dir string) *blobs.Store {
	t.Helper()
	s, err := blobs.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s content.Store, text string) digest.Digest {
	t.Helper()
	d := ocispec.Descriptor{Digest: digest.FromString(text), Size: int64(len(text))}
	if err := content.WriteBlob(t.Context(), s, "ref-of-"+text, bytes.NewBufferString(text), d); err != nil {
		t.Fatal(err)
	}
	return d.Digest
}

func stored(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, "sha256:"+e.Name())
	}
	return names
}

// Two builds often export the same layer at the same time, under the same
// reference, because the engine chooses it.
func TestTwoOpeningsWriteOneReference(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	want := digest.FromString("hello world")
	var writers []content.Writer
	for _, s := range []content.Store{a, b} {
		w, err := s.Writer(t.Context(), content.WithRef("layer"))
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	for _, part := range []string{"hello ", "world"} {
		for _, w := range writers {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if st, err := a.Status(t.Context(), "layer"); err != nil || st.Ref != "layer" || st.Offset != 11 {
		t.Errorf("status: got %+v, %v", st, err)
	}
	if all, err := b.ListStatuses(t.Context()); err != nil || len(all) != 1 || all[0].Ref != "layer" {
		t.Errorf("statuses: got %+v, %v", all, err)
	}
	if err := writers[0].Commit(t.Context(), 11, want); err != nil {
		t.Fatal(err)
	}
	_ = writers[1].Commit(t.Context(), 11, want) // it exists already
	got, err := content.ReadBlob(t.Context(), b, ocispec.Descriptor{Digest: want, Size: 11})
	if err != nil || string(got) != "hello world" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	kept, gone := put(t, a, "kept"), put(t, a, "gone")
	keep := func(i content.Info) bool { return i.Digest == kept }

	b := open(t, dir)
	swept, err := a.Sweep(t.Context(), keep)
	if err != nil || !swept.Busy {
		t.Fatalf("beside another opening: got %+v, %v; want busy", swept, err)
	}
	if n := len(stored(t, dir)); n != 2 {
		t.Fatalf("busy sweep left %d blobs, want 2", n)
	}
	if err = b.Close(); err != nil {
		t.Fatal(err)
	}
	swept, err = a.Sweep(t.Context(), keep)
	if diff := cmp.Diff(blobs.Swept{Blobs: 1, Bytes: 4}, swept); diff != "" || err != nil {
		t.Fatalf("swept (-want +got):\n%s%v", diff, err)
	}
	if diff := cmp.Diff([]string{kept.String()}, stored(t, dir)); diff != "" {
		t.Errorf("blobs (-want +got):\n%s%v", diff, gone)
	}
	put(t, a, "after") // the store still works
	if c, err := a.Sweep(t.Context(), func(content.Info) bool { return true }); err != nil || c.Blobs != 0 {
		t.Errorf("second sweep: %+v, %v", c, err)
	}
}

func TestSweepDropsWhatADeadProcessLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"with-ref", "cut-off"} {
		if err := os.MkdirAll(filepath.Join(dir, "ingest", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ingest/with-ref/ref"), []byte("DEAD/layer"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if _, err := s.Sweep(t.Context(), func(content.Info) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "ingest")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestCloseDropsWhatIsUnfinished(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	w, err := s.Writer(t.Context(), content.WithRef("half"))
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("half"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ingest")); !os.IsNotExist(err) {
		t.Errorf("ingest folder is left: %v", err)
	}
}

func TestInfoMarksAsUsed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := put(t, s, "old")
	path := filepath.Join(dir, "blobs/sha256", d.Encoded())
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Info(context.WithoutCancel(t.Context()), d); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || time.Since(fi.ModTime()) > time.Hour {
		t.Errorf("modified %v, %v; want now", fi.ModTime(), err)
	}
}
