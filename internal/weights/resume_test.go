package weights_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
)

// killAt ends a push after so many bytes were sent, like a kill would: nothing in its memory
// is kept, and nothing is cleaned up.
func killAt(t *testing.T, o weights.PushOptions, bytes int64) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	sent := map[int]int64{}
	h := history{after: func(e weights.Event) {
		sent[e.Layer] = e.Bytes
		var sum int64
		for _, n := range sent {
			sum += n
		}
		if sum >= bytes {
			kill()
		}
	}}
	o.Progress = h.note
	if _, err := weights.Push(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
}

func TestPushGoesOnAfterAKill(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    testworld.RegistryOptions
		jobs int
	}{
		{"a registry that keeps parts of chunks", testworld.RegistryOptions{}, 1},
		{"one that keeps whole chunks", testworld.RegistryOptions{KeepNothing: true}, 1},
		{"one that requires large chunks", testworld.RegistryOptions{ChunkMin: chunk / 2}, 1},
		{"several layers at once", testworld.RegistryOptions{}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testworld.NewRegistry(t, tt.r)
			source := &hub{}
			o := options(t, r, scaled(t, model(t, "a.bin 9000000", "c.bin 5000", "d.bin 4000000"), source))
			o.Jobs = tt.jobs
			all := size(o.Job)
			killAt(t, o, all*60/100)
			before := source.bytes()
			r.Forget()
			o.Repository = repository(t, r, "acme/tiny")
			var seen history
			o.Progress = seen.note
			_, err := weights.Push(t.Context(), o)
			must(t, err)
			if got := r.Received(); got > all*45/100 {
				t.Errorf("%d of %d bytes sent again", got, all)
			}
			if got := source.bytes() - before; got > all*45/100+4*chunk {
				t.Errorf("%d of %d bytes fetched again", got, all)
			}
			resumed := false
			for _, e := range seen.events {
				resumed = resumed || e.State == weights.Done && e.From > 0 && e.Bytes == e.Total
			}
			if !resumed {
				t.Error("no event reports a resumed layer")
			}
			arrived(t, r, o.Model)
			noLitter(t, o.Journal)
		})
	}
}

// noLitter checks that no upload is remembered once all are done.
func noLitter(t *testing.T, journal string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(journal, "*"))
	must(t, err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		must(t, err)
		if strings.Contains(string(data), "location") {
			t.Errorf("%s is left: %s", f, data)
		}
	}
}

func TestJournalIsPrivate(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, job(t, model(t, "a.bin 1500000"), &hub{}))
	o.Journal = filepath.Join(o.Journal, "uploads")
	killAt(t, o, 5*chunk)
	found := 0
	must(t, filepath.WalkDir(o.Journal, func(path string, d os.DirEntry, err error) error {
		info, infoErr := d.Info()
		if !strings.HasSuffix(path, ".lock") && info.Mode()&0o077 != 0 {
			t.Errorf("%s has the mode %o", path, info.Mode())
		}
		found++
		return errors.Join(err, infoErr)
	}))
	if found < 3 {
		t.Errorf("%d files in the journal", found)
	}
}

// An unreadable journal costs bytes and nothing else.
func TestPushWithADamagedJournal(t *testing.T) {
	for _, text := range []string{"", "{", `{"location":"http://elsewhere.example/x","marks":[]}`, `{"location":"%%","marks":[{"offset":-5}]}`} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		o := options(t, r, job(t, model(t, "a.bin 400000"), &hub{}))
		killAt(t, o, chunk)
		files, err := filepath.Glob(filepath.Join(o.Journal, "*.json"))
		must(t, err)
		for _, f := range files {
			must(t, os.WriteFile(f, []byte(text), 0o600))
		}
		_, err = weights.Push(t.Context(), o)
		must(t, err)
		arrived(t, r, o.Model)
	}
}

func TestPushGoesOnAfterTheSourceFailed(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	source := &hub{cut: map[string]int64{"a.bin": 1_100_000}}
	o := options(t, r, job(t, model(t, "a.bin 1500000"), source))
	_, err := weights.Push(t.Context(), o)
	if !errors.Is(err, errCut) || !strings.Contains(err.Error(), `pushing layer "tiny/a.bin": fetching "a.bin" from byte `) {
		t.Fatalf("got %v", err)
	}
	source.cut = nil
	_, err = weights.Push(t.Context(), o)
	must(t, err)
	if got, all := r.Received(), size(o.Job); got > all+2*chunk {
		t.Errorf("%d bytes sent of %d", got, all)
	}
	arrived(t, r, o.Model)
}

func TestPushDespiteFaultsOfTheRegistry(t *testing.T) {
	always := testworld.Always
	for _, tt := range []struct {
		name    string
		pattern string
		fault   func(*testworld.Registry) testworld.Fault
		most    int64 // bytes sent beyond the layer
	}{
		{"a cut that keeps its bytes", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(chunk/2, true, 3) }, 3 * chunk},
		{"a cut that loses its bytes", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(chunk/2, false, 3) }, 3 * chunk},
		{"bytes that got lost", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.ShortUpload(chunk/2, 3) }, 3 * chunk},
		{"an answer that got lost", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.LoseAnswer(3) }, 3 * chunk},
		{"a forgotten upload", "PATCH /v2/**", func(r *testworld.Registry) testworld.Fault { return r.ForgetUpload(5 * chunk) }, 9 * chunk},
		{"no chunks", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.RefuseChunks(405, always) }, 2 * chunk},
		{"the digest first", "PATCH /v2/**", func(*testworld.Registry) testworld.Fault { return testworld.Later(405, "", always) }, 2 * chunk},
		{"a lost commit", "PUT /v2/acme/tiny/blobs/**", func(*testworld.Registry) testworld.Fault { return testworld.LoseAnswer(1) }, chunk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			o := options(t, r, job(t, model(t, "a.bin 1500000"), &hub{}))
			r.Fail(tt.pattern, tt.fault(r))
			_, err := weights.Push(t.Context(), o)
			must(t, err)
			if got, all := r.Received(), size(o.Job); got > all+tt.most {
				t.Errorf("%d bytes sent of %d", got, all)
			}
			arrived(t, r, o.Model)
			noLitter(t, o.Journal)
		})
	}
}

func TestPushGivesUp(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, scaled(t, model(t, "a.bin 9000000", "b.bin 5000"), &hub{}))
	r.Fail("PATCH /v2/**", testworld.LimitBody(413, chunk/2, testworld.Always))
	r.Fail("PUT /v2/acme/tiny/blobs/**", testworld.LimitBody(413, chunk/2, testworld.Always))
	_, err := weights.Push(t.Context(), o)
	var large *registry.TooLargeError
	if !errors.As(err, &large) || failure.KindOf(err) != failure.Failure {
		t.Errorf("got %v", err)
	}
	if d := o.Layers[1].Size; r.Received() < d || r.Manifest("acme/tiny", "1") != nil {
		t.Error("the other layer isn't there, or a manifest is")
	}
	r.Heal()
	r.Fail("/v2/**", testworld.Status(503, testworld.Always))
	if _, err = weights.Push(t.Context(), o); failure.KindOf(err) != failure.Transient {
		t.Errorf("got kind %d for %v", failure.KindOf(err), err)
	}
}

// The location of an upload is like a password, and so is what authorizes it.
func TestErrorsTellNoSecrets(t *testing.T) {
	for _, status := range []int{400, 403, 404, 416, 500} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		o := options(t, r, job(t, model(t, "a.bin 1500000"), &hub{}))
		killAt(t, o, 5*chunk)
		r.Fail("PATCH /v2/**", testworld.Status(status, testworld.Always))
		r.Fail("PUT /v2/acme/tiny/blobs/**", testworld.Status(status, testworld.Always))
		_, err := weights.Push(t.Context(), o)
		if err == nil || strings.Contains(err.Error(), "_state") || strings.Contains(err.Error(), "?") {
			t.Errorf("got %v", err)
		}
	}
}

// Two publishers of the same model send it once.
func TestTwoPublishers(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	o := options(t, r, scaled(t, model(t, "a.bin 9000000", "c.bin 5"), &hub{pause: time.Millisecond}))
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			_, err := weights.Push(t.Context(), o)
			return err
		})
	}
	must(t, group.Wait())
	if got, all := r.Received(), size(o.Job); got > all+chunk {
		t.Errorf("%d bytes sent of %d", got, all)
	}
}

// However few buffers there are, there is always progress.
func TestFewBuffers(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	files := []string{"a.json 250000", "b.json 100"}
	for _, name := range []string{"c", "d", "e"} {
		files = append(files, name+".bin 8400000")
	}
	o := options(t, r, scaled(t, model(t, files...), &hub{}))
	o.Buffers, o.Jobs, o.Fetches = 1, 8, 1
	_, err := weights.Push(t.Context(), o)
	must(t, err)
}

// Some registries accept a layer only in one request, which starts over after a cut.
func TestPushInOneRequest(t *testing.T) {
	for _, cut := range []int{0, 2} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		o := options(t, r, job(t, model(t, "a.bin 1500000"), &hub{}))
		var err error
		o.Repository, err = registry.Open(t.Context(), r.Host+"/acme/tiny", registry.Options{
			Keychain: anonymous{}, HTTP: fetch.Options{Wait: time.Millisecond}, Limits: registry.Limits{Name: "odd", NoChunks: true},
		})
		must(t, err)
		r.Fail("PATCH /v2/**", testworld.CutUpload(5*chunk, true, cut))
		_, err = weights.Push(t.Context(), o)
		must(t, err)
		if got, all := r.Received(), size(o.Job)+int64(cut)*5*chunk; got < all || got > all+2*chunk {
			t.Errorf("%d bytes sent, want about %d", got, all)
		}
		arrived(t, r, o.Model)
	}
}

// What is known of a layer from another registry saves hashing, not verification.
func TestPushToAnotherRegistry(t *testing.T) {
	first := testworld.NewRegistry(t, testworld.RegistryOptions{})
	source := &hub{}
	o := options(t, first, job(t, model(t, "a.bin 1500000", "b.bin 5000"), source))
	image, err := weights.Push(t.Context(), o)
	must(t, err)
	o.Model.Published = first.Host + "/acme/tiny@" + image.Manifest.Digest.String()
	o.Published = o.Repository
	for _, tt := range []struct {
		name   string
		change func(*weights.PushOptions)
	}{
		{"by the journal", func(o *weights.PushOptions) { o.Published, o.Model.Published = nil, "" }},
		{"by the lock", func(o *weights.PushOptions) { o.Journal = t.TempDir() }},
		{"by a wrong journal", func(o *weights.PushOptions) {
			o.Published, o.Model.Published = nil, ""
			known, err := filepath.Glob(filepath.Join(o.Journal, "*.json"))
			must(t, err)
			for _, path := range known {
				must(t, os.WriteFile(path, []byte(`{"digest":"sha256:`+strings.Repeat("0", 64)+`"}`), 0o600))
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			second := testworld.NewRegistry(t, testworld.RegistryOptions{})
			o := o
			o.Repository = repository(t, second, "acme/tiny")
			tt.change(&o)
			source.corrupt = map[string]bool{"a.bin": true}
			_, err := weights.Push(t.Context(), o)
			if wrong, ok := errors.AsType[*weights.MismatchError](err); !ok || wrong.File != "a.bin" {
				t.Errorf("got %v", err)
			}
			source.corrupt = nil
			again, err := weights.Push(t.Context(), o)
			must(t, err)
			if again.Manifest.Digest != image.Manifest.Digest {
				t.Errorf("got %s, want %s", again.Manifest.Digest, image.Manifest.Digest)
			}
			arrived(t, second, o.Model)
		})
	}
}
