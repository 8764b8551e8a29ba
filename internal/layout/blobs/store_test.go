package blobs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
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

// of returns the descriptor of a text.
func of(text string) ocispec.Descriptor {
	return ocispec.Descriptor{Digest: digest.FromString(text), Size: int64(len(text))}
}

// reading returns a reader that implements nothing else.
func reading(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) }

func put(t *testing.T, s content.Store, text string) digest.Digest {
	t.Helper()
	if err := content.WriteBlob(t.Context(), s, "ref-of-"+text, reading(text), of(text)); err != nil {
		t.Fatal(err)
	}
	return of(text).Digest
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

func TestCleanup(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	kept, gone := put(t, a, "kept"), put(t, a, "gone")
	keep := func(i content.Info) bool { return i.Digest == kept }

	b := open(t, dir)
	removed, err := a.Cleanup(t.Context(), keep)
	if err != nil || !removed.Busy {
		t.Fatalf("alongside another opening: got %+v, %v; want busy", removed, err)
	}
	if n := len(stored(t, dir)); n != 2 {
		t.Fatalf("busy cleanup left %d blobs, want 2", n)
	}
	if err = b.Close(); err != nil {
		t.Fatal(err)
	}
	removed, err = a.Cleanup(t.Context(), keep)
	if diff := cmp.Diff(blobs.Removed{Blobs: 1, Bytes: 4}, removed); diff != "" || err != nil {
		t.Fatalf("removed (-want +got):\n%s%v", diff, err)
	}
	if diff := cmp.Diff([]string{kept.String()}, stored(t, dir)); diff != "" {
		t.Errorf("blobs (-want +got):\n%s%v", diff, gone)
	}
	put(t, a, "after") // the store still works
	if c, err := a.Cleanup(t.Context(), func(content.Info) bool { return true }); err != nil || c.Blobs != 0 {
		t.Errorf("second cleanup: %+v, %v", c, err)
	}
}

func TestCleanupDropsWhatADeadProcessLeft(t *testing.T) {
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
	if _, err := s.Cleanup(t.Context(), func(content.Info) bool { return true }); err != nil {
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
		t.Errorf("ingest directory is left: %v", err)
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

// Once an hour is enough: a warm build writes nothing.
func TestInfoOfWhatWasUsedWritesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := put(t, s, "new")
	path := filepath.Join(dir, "blobs/sha256", d.Encoded())
	lately := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
	if err := os.Chtimes(path, lately, lately); err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), d)
	if err != nil || info.Size != 3 || !info.CreatedAt.Equal(lately) {
		t.Errorf("got %+v, %v", info, err)
	}
	if fi, err := os.Stat(path); err != nil || !fi.ModTime().Equal(lately) {
		t.Errorf("modified %v, %v; want %v", fi.ModTime(), err, lately)
	}
}

// A blob matches its digest, or doesn't exist.
func TestABlobThatIsNotWhatItsDigestSays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := of("what was promised")
	for name, text := range map[string]string{"other": "what was delivered", "short": "what was", "long": "what was promised, and more"} {
		w, err := s.Writer(t.Context(), content.WithRef(name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err = w.Commit(t.Context(), want.Size, want.Digest); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if err = w.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := stored(t, dir); len(left) > 0 {
		t.Errorf("blobs %q", left)
	}
	put(t, s, "what was promised")
}

func TestBlobsThatAreNotThere(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 { // before and after the directory for blobs exists
		for d, is := range map[digest.Digest]func(error) bool{
			of("none").Digest: errdefs.IsNotFound, "": errdefs.IsInvalidArgument, "sha256:abc": errdefs.IsInvalidArgument, "../x:" + digest.Digest(strings.Repeat("a", 64)): errdefs.IsInvalidArgument,
		} {
			_, infoErr := s.Info(t.Context(), d)
			_, readErr := s.ReaderAt(t.Context(), ocispec.Descriptor{Digest: d})
			for word, err := range map[string]error{"info": infoErr, "read": readErr, "delete": s.Delete(t.Context(), d)} {
				if !is(err) {
					t.Errorf("%s %q: got %v", word, d, err)
				}
			}
		}
		put(t, s, "some")
	}
}

// Files without the name of a blob are neither listed nor removed.
func TestWalkLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := []digest.Digest{put(t, s, "a"), put(t, s, "b")}
	slices.Sort(want)
	others := []string{"blobs/note.txt", "blobs/sha256/note.txt", "blobs/sha256/" + strings.Repeat("z", 64), "blobs/md5/" + strings.Repeat("a", 32)}
	for _, name := range others {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	directory := filepath.Join(dir, "blobs/sha256", of("directory").Digest.Encoded())
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	walk := func(filters ...string) (got []digest.Digest) {
		err := s.Walk(t.Context(), func(info content.Info) error {
			got = append(got, info.Digest)
			return nil
		}, filters...)
		if err != nil {
			t.Errorf("walking %q: %v", filters, err)
		}
		slices.Sort(got)
		return got
	}
	if diff := cmp.Diff(want, walk()); diff != "" {
		t.Errorf("blobs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], walk("digest=="+want[0].String())); diff != "" {
		t.Errorf("one blob (-want +got):\n%s", diff)
	}
	enough := errors.New("enough")
	if err := s.Walk(t.Context(), func(content.Info) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a visit that fails: %v", err)
	}
	if err := s.Walk(t.Context(), func(content.Info) error { return nil }, "=="); err == nil {
		t.Error("an invalid filter is accepted")
	}
	if removed, err := s.Cleanup(t.Context(), func(content.Info) bool { return false }); err != nil || removed.Blobs != 2 {
		t.Errorf("removed %+v, %v", removed, err)
	}
	for _, name := range append(others, "blobs/sha256/"+filepath.Base(directory)) {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// An interrupted cleanup removes nothing.
func TestCleanupThatIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a")
	put(t, s, "b")
	ctx, stop := context.WithCancel(t.Context())
	_, err := s.Cleanup(ctx, func(content.Info) bool { stop(); return false })
	if !errors.Is(err, context.Canceled) || len(stored(t, dir)) != 2 {
		t.Errorf("got %v, and %d blobs are left", err, len(stored(t, dir)))
	}
	if other := open(t, dir); other.Close() != nil {
		t.Error("the lease is lost")
	}
	if removed, err := s.Cleanup(t.Context(), func(content.Info) bool { return false }); err != nil || removed.Blobs != 2 {
		t.Errorf("the next cleanup: %+v, %v", removed, err)
	}
}

// References belong to an opening: dropping one doesn't affect the others.
func TestAbortIsOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	for _, s := range []content.Store{a, b} {
		w, err := s.Writer(t.Context(), content.WithRef("layer"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Write([]byte("half")); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	}
	if err := a.Abort(t.Context(), "layer"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Status(t.Context(), "layer"); !errdefs.IsNotFound(err) {
		t.Errorf("the dropped write: %v", err)
	}
	if st, err := b.Status(t.Context(), "layer"); err != nil || st.Offset != 4 || st.Ref != "layer" {
		t.Errorf("the other opening's write: %+v, %v", st, err)
	}
	if err := content.WriteBlob(t.Context(), b, "layer", strings.NewReader("half and half"), of("half and half")); err != nil {
		t.Errorf("the other opening can't continue: %v", err)
	}
}

// Discarding removes the store, and nothing else in its directory, if agreed.
func TestDiscard(t *testing.T) {
	agree := func(yes bool, err error) func() (bool, error) { return func() (bool, error) { return yes, err } }
	why := errors.New("can't say")
	for _, tt := range []struct {
		name  string
		agree func() (bool, error)
		busy  bool
		err   error
		stays bool
	}{
		{"agreed", agree(true, nil), false, nil, false},
		{"not agreed", agree(false, nil), false, nil, true},
		{"unknown", agree(true, why), false, why, true},
		{"open elsewhere", agree(true, nil), true, nil, true},
	} {
		dir := t.TempDir()
		s := open(t, dir)
		d := put(t, s, "blob")
		if err := os.WriteFile(filepath.Join(dir, "index.json"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if tt.busy {
			open(t, dir)
		}
		if err := s.Discard(tt.agree); !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.err)
		}
		if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", d.Encoded())); (err == nil) != tt.stays {
			t.Errorf("%s: the blob: %v", tt.name, err)
		}
		put(t, open(t, dir), "again")
	}
}

// No link replaces a part of a store, whether it existed before or appeared later, and the
// error is reported.
func TestLinksInAStore(t *testing.T) {
	refused := func(what string, err error) {
		t.Helper()
		if failure.KindOf(err) != failure.Usage {
			t.Errorf("%s: got %v", what, err)
		}
	}
	link := func(dir, name string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := errors.Join(os.RemoveAll(at), os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(t.TempDir(), at)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"blobs", "blobs/sha256", "ingest", ".lease"} {
		dir := t.TempDir()
		link(dir, name)
		s, err := blobs.Open(t.Context(), dir)
		refused(name, err)
		if s != nil {
			t.Errorf("%s: the store was opened", name)
		}
	}
	keep := func(content.Info) bool { return true }
	dir := t.TempDir()
	s := open(t, dir)
	d := put(t, s, "blob")
	link(dir, "ingest")
	_, err := s.Cleanup(t.Context(), keep)
	refused("cleanup", err)
	for _, name := range []string{"blobs/sha256", "blobs"} {
		link(dir, name)
		_, err = s.Info(t.Context(), d)
		refused("info behind "+name, err)
		refused("walk behind "+name, s.Walk(t.Context(), func(content.Info) error { return nil }))
	}
}

// Discard releases a store that it may not remove.
func TestDiscardLetsGo(t *testing.T) {
	dir := t.TempDir()
	one, other := open(t, dir), open(t, dir)
	put(t, one, "blob")
	w, err := one.Writer(t.Context(), content.WithRef("half"))
	if err == nil {
		_, err = w.Write([]byte("half"))
	}
	yes := func() (bool, error) { return true, nil }
	if err = errors.Join(err, one.Discard(yes)); err != nil {
		t.Fatal(err)
	}
	if half, _ := os.ReadDir(filepath.Join(dir, "ingest")); len(half) > 0 {
		t.Errorf("%v is left", half)
	}
	if err = other.Discard(yes); err != nil {
		t.Fatal(err)
	}
	if left := stored(t, dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
