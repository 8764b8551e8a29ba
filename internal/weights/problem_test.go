package weights_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// Without a tag an image has only its digest.
func TestPushWithoutATag(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, job(t, model(t, "a.bin 3000"), &hub{}))
	o.Tag = ""
	image, err := weights.Push(t.Context(), o)
	must(t, err)
	if r.Manifest("acme/tiny", image.Manifest.Digest.String()) == nil {
		t.Errorf("there is no %s", image.Manifest.Digest)
	}
	if n := r.Calls("PUT /v2/acme/tiny/manifests/**"); n != 1 {
		t.Errorf("%d manifests were put", n)
	}
}

// short is a source whose files end where their second chunk begins.
type short struct{ hub }

func (s *short) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	if offset > 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return s.hub.Open(ctx, f, offset, length)
}

// A file that ends early doesn't end its layer.
func TestSourcesThatEndTooSoon(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	j := job(t, model(t, "a.bin 1500000"), &short{})
	_, pushed := weights.Push(t.Context(), options(t, r, j))
	_, pulled := weights.Pull(t.Context(), into(t, j))
	for _, err := range []error{pushed, pulled} {
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), `fetching "a.bin" from byte `) {
			t.Errorf("got %v", err)
		}
	}
}

// An upload that a registry has started is resumed, even if it is empty: an open one takes
// space there until it is cleaned up.
func TestPushLeavesNoUploadBehind(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, job(t, model(t, "a.bin 1500000"), &hub{}))
	r.Fail("PATCH /v2/**", testworld.Status(500, testworld.Always))
	if _, err := weights.Push(t.Context(), o); err == nil {
		t.Fatal("there is no error")
	}
	r.Heal()
	_, err := weights.Push(t.Context(), o)
	must(t, err)
	if n := r.Uploads(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	arrived(t, r, o.Model)
}

// A registry that always loses uploads at their end gets the layer only a few times.
func TestUploadsThatAreAlwaysLost(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{404: registry.ErrForgotten, 400: registry.ErrCorrupt} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		o := options(t, r, job(t, model(t, "a.bin 300000"), &hub{}))
		r.Fail("PUT /v2/acme/tiny/blobs/**", testworld.Status(code, testworld.Always))
		_, err := weights.Push(t.Context(), o)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "gave up after 3 uploads: ") {
			t.Errorf("got %v, want %v", err, want)
		}
		if n := r.Calls("POST /v2/acme/tiny/blobs/uploads/"); n != 3 {
			t.Errorf("%d uploads were started", n)
		}
	}
}

// Damage of an earlier pull by a crash shows as soon as a file ends, and everything after
// it is fetched again.
func TestPullAfterAnEarlyLoss(t *testing.T) {
	t.Parallel()
	source := &hub{}
	o := into(t, job(t, model(t, "a.json 900000", "b.json 900000", "c.json 900000"), source))
	killPull(t, o, 8*chunk) // more is left than there are buffers
	partials, err := filepath.Glob(filepath.Join(o.Dir, ".weights/*.partial"))
	if err != nil || len(partials) != 1 {
		t.Fatalf("left are %q: %v", partials, err)
	}
	f, err := os.OpenFile(partials[0], os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 4096), 100_000)
	must(t, err, f.Close())
	before := source.bytes()
	image, err := weights.Pull(t.Context(), o)
	must(t, err)
	if got := source.bytes() - before; got != 2_700_000 {
		t.Errorf("%d bytes fetched again, want all", got)
	}
	kept(t, o, image)
}

// A layout that can't be checked costs no bytes.
func TestPullLooksFirst(t *testing.T) {
	t.Parallel()
	source := &hub{}
	o := into(t, scaled(t, model(t, "a.bin 1100000", "b.bin 5"), source))
	o.Jobs = 1
	image, err := weights.Pull(t.Context(), o)
	must(t, err)
	blob := func(i int) string { return filepath.Join(o.Dir, "blobs/sha256", image.Layers[i].Digest.Encoded()) }
	h := history{after: func(e weights.Event) {
		if e.State == weights.Waiting && e.Layer == 0 { // the layout is open by now
			must(t, os.Remove(blob(0)), os.Remove(blob(1)), os.Symlink(os.DevNull, blob(1)))
		}
	}}
	o.Progress = h.note
	before := source.bytes()
	_, err = weights.Pull(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("got %v", err)
	}
	if n := source.bytes() - before; n != 0 {
		t.Errorf("%d bytes were fetched before %v", n, err)
	}
}
