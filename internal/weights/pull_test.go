package weights_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/test/imagetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
)

func into(t *testing.T, j weights.Job) weights.PullOptions {
	t.Helper()
	return weights.PullOptions{Job: j, Dir: filepath.Join(t.TempDir(), "dist"), Tag: "tiny"}
}

// kept compares a layout with the model.
func kept(t *testing.T, o weights.PullOptions, image weights.Image) {
	t.Helper()
	l, err := layout.Open(t.Context(), o.Dir)
	must(t, err)
	defer l.Close()
	have, err := l.Read(t.Context(), o.Tag)
	must(t, err, imagetest.Verify(t.Context(), l.Store(), have.Desc))
	if have.Desc.Digest != image.Manifest.Digest {
		t.Errorf("the tag names %s and not %s", have.Desc.Digest, image.Manifest.Digest)
	}
	blob := func(d digest.Digest) []byte {
		data, err := os.ReadFile(filepath.Join(o.Dir, "blobs/sha256", d.Encoded()))
		must(t, err)
		return data
	}
	check(t, o.Model, blob(image.Manifest.Digest), blob)
	if partials, err := filepath.Glob(filepath.Join(o.Dir, ".weights/*.partial")); err != nil || len(partials) > 0 {
		t.Errorf("left are %q: %v", partials, err)
	}
}

func TestPullIsWhatPushMakes(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	source := &hub{}
	j := scaled(t, model(t, "a.bin 5000000", "b.bin 5", "c/d.json 600", "empty 0"), source)
	pushed, err := weights.Push(t.Context(), options(t, r, j))
	must(t, err)
	o := into(t, j)
	got, err := weights.Pull(t.Context(), o)
	must(t, err)
	if diff := cmp.Diff(pushed, got); diff != "" {
		t.Errorf("images (-pushed +pulled):\n%s", diff)
	}
	kept(t, o, got)

	for _, forget := range []bool{false, true} {
		before := source.bytes()
		if forget {
			must(t, os.RemoveAll(filepath.Join(o.Dir, ".weights")))
		}
		again, err := weights.Pull(t.Context(), o)
		must(t, err)
		if !again.Unchanged || again.Manifest.Digest != got.Manifest.Digest || source.bytes() != before {
			t.Errorf("%+v after %d bytes, want nothing done", again, source.bytes()-before)
		}
	}
}

// killPull ends a pull after so many bytes of its layers.
func killPull(t *testing.T, o weights.PullOptions, bytes int64) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	sum := map[int]int64{}
	h := history{after: func(e weights.Event) {
		sum[e.Layer] = e.Bytes
		var all int64
		for _, n := range sum {
			all += n
		}
		if all >= bytes {
			kill()
		}
	}}
	o.Progress = h.note
	if _, err := weights.Pull(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
}

func TestPullGoesOnAfterAKill(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(partial []byte)
		most   int64 // percent of the bytes that are fetched again
	}{
		{"as it was", func([]byte) {}, 45},
		{"with a lost block", func(p []byte) { clear(p[len(p)/2:][:4096]) }, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source := &hub{}
			o := into(t, scaled(t, model(t, "a.bin 8500000", "b.bin 5000", "c.bin 900000", "z.bin 8800000"), source))
			o.Jobs = 1
			killPull(t, o, size(o.Job)*60/100)
			partials, err := filepath.Glob(filepath.Join(o.Dir, ".weights/*.partial"))
			must(t, err)
			for _, p := range partials {
				data, readErr := os.ReadFile(p)
				must(t, readErr)
				tt.damage(data)
				must(t, os.WriteFile(p, data, 0o600))
			}
			if len(partials) == 0 {
				t.Fatal("nothing is left of the first pull")
			}
			before := source.bytes()
			image, err := weights.Pull(t.Context(), o)
			must(t, err)
			// A damaged file shows at its end, and everything before was in vain.
			if got, all := source.bytes()-before, size(o.Job); got > all*tt.most/100 {
				t.Errorf("%d of %d bytes fetched again", got, all)
			}
			kept(t, o, image)
		})
	}
}

func TestPullRefusesWrongBytes(t *testing.T) {
	source := &hub{corrupt: map[string]bool{"b.bin": true}}
	o := into(t, scaled(t, model(t, "a.bin 5000000", "b.bin 4000000", "c.bin 5"), source))
	_, err := weights.Pull(t.Context(), o)
	if wrong, ok := errors.AsType[*weights.MismatchError](err); !ok || wrong.File != "b.bin" {
		t.Fatalf("got %v", err)
	}
	source.corrupt = nil
	before := source.bytes()
	image, err := weights.Pull(t.Context(), o)
	must(t, err)
	if got := source.bytes() - before; got != 4000000 {
		t.Errorf("%d bytes fetched again, want those of one file", got)
	}
	kept(t, o, image)
}

// Old partial files are removed, recent ones are kept.
func TestPullDropsStaleFiles(t *testing.T) {
	o := into(t, job(t, model(t, "a.bin 3000"), &hub{}))
	for name, age := range map[string]time.Duration{"old": 31 * 24 * time.Hour, "new": 29 * 24 * time.Hour} {
		path := filepath.Join(o.Dir, ".weights", name+".partial")
		must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600))
		must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
	}
	_, err := weights.Pull(t.Context(), o)
	must(t, err)
	left, err := filepath.Glob(filepath.Join(o.Dir, ".weights/*.partial"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "new.partial" {
		t.Errorf("left are %q: %v", left, err)
	}
}

// Files of the journal that nobody could read into memory count as missing.
func TestPullWithAJournalWithoutBound(t *testing.T) {
	o := into(t, job(t, model(t, "a.bin 3000"), &hub{}))
	_, err := weights.Pull(t.Context(), o)
	must(t, err)
	known, err := filepath.Glob(filepath.Join(o.Dir, ".weights/*.json"))
	if err != nil || len(known) != 1 {
		t.Fatalf("the journal is %q, %v", known, err)
	}
	must(t, os.Truncate(known[0], 1<<40))
	_, err = weights.Pull(t.Context(), o)
	must(t, err)
}

// A directory that others have filled may have links where a pull keeps its journal.
func TestPullFollowsNoLinks(t *testing.T) {
	for _, link := range []string{".weights", ".weights/note.json"} {
		o, elsewhere := into(t, job(t, model(t, "a.bin 3000"), &hub{})), t.TempDir()
		at := filepath.Join(o.Dir, link)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(elsewhere, at))
		_, err := weights.Pull(t.Context(), o)
		if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "is a symbolic link") {
			t.Errorf("%s: got %v", link, err)
		}
		if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
			t.Errorf("%s: elsewhere is %v, %v", link, left, err)
		}
	}
}
