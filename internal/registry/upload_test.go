package registry_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

const (
	patches = "PATCH /v2/**"
	states  = "GET /v2/acme/model/blobs/uploads/*"
	puts    = "PUT /v2/acme/model/blobs/uploads/*"
)

func TestUploadInChunks(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo, u := begin(t, r)
	data, d := weights(1 << 20)
	if err := send(t, u, data, 300_000); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(u.Location(), r.URL+"/v2/acme/model/blobs/uploads/") {
		t.Errorf("location %q isn't absolute", u.Location())
	}
	if err := u.Commit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	check(t, r, d)
	if got := r.Received(); got != 1<<20 {
		t.Errorf("%d bytes were sent for %d", got, 1<<20)
	}
	if has, err := repo.Has(t.Context(), d); !has || err != nil {
		t.Errorf("Has: %v, %v", has, err)
	}
	if n := r.Calls(states); n != 0 {
		t.Errorf("a registry that reported its offset was asked for it %d times", n)
	}
}

// TestKilledPublisherResumes kills one at 60 %, in the middle of a chunk. The next one
// sends only the rest: at most 45 % is required.
func TestKilledPublisherResumes(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	data, d := weights(size)
	_, u := begin(t, r)
	if err := send(t, u, data[:size/2], 1<<20); err != nil {
		t.Fatal(err)
	}
	location := u.Location()
	r.Fail(patches, r.StallUpload(size/10, 1))
	killed, kill := context.WithCancel(t.Context())
	go func() {
		for r.Received() < size*6/10 {
			time.Sleep(time.Millisecond)
		}
		kill()
	}()
	if err := u.Send(killed, data[size/2:]); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want to be killed", err)
	}

	r.Forget()
	next, err := open(t, r, hasty()).Resume(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	if next.Offset() != size*6/10 {
		t.Errorf("it continues at byte %d, want %d", next.Offset(), size*6/10)
	}
	if err := send(t, next, data, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := next.Commit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	check(t, r, d)
	if got := r.Received(); got > size*45/100 {
		t.Errorf("%d %% were sent again, want 45 at most", got*100/size)
	}
}

func TestSendOutlivesFaults(t *testing.T) {
	t.Parallel()
	const size, chunk = 4 << 20, 1 << 20
	for _, tt := range []struct {
		name  string
		path  string
		fault func(*testworld.Registry) testworld.Fault
		most  int64 // maximum number of bytes sent, in all
	}{
		{"server errors", patches, always(testworld.Status(http.StatusBadGateway, 3)), size + 3*chunk},
		{"asked to wait", patches, always(testworld.Later(http.StatusTooManyRequests, "0", 2)), size + 2*chunk},
		{"asked to wait, for an unknown time", patches, always(testworld.Later(http.StatusServiceUnavailable, "soon", 2)), size + 2*chunk},
		{"cut, and kept", patches, always(testworld.CutUpload(chunk/2, true, 2)), size + chunk},
		{"cut, and lost", patches, always(testworld.CutUpload(chunk/2, false, 3)), size + 3*chunk},
		{"answer lost", patches, always(testworld.LoseAnswer(2)), size},
		{"accepts less than it gets", patches, always(testworld.ShortUpload(chunk/2, 3)), size + 2*chunk},
		{"accepts nothing of what it gets", patches, always(testworld.ShortUpload(0, 3)), size + 3*chunk},
		{"stalled", patches, func(r *testworld.Registry) testworld.Fault { return r.StallUpload(1000, 1) }, size + chunk},
		{"range too low", patches, always(testworld.WrongRange("0-9", testworld.Always)), size},
		{"range too high", patches, always(testworld.WrongRange("0-99999999", testworld.Always)), size},
		{"range unreadable", patches, always(testworld.WrongRange("bytes */7", testworld.Always)), size},
		{"no range", patches, always(testworld.WrongRange("", testworld.Always)), size},
		{"chunks too large", patches, always(testworld.LimitBody(http.StatusRequestEntityTooLarge, 1<<20, testworld.Always)), size + 1},
		{"chunks too large, with the status of ghcr.io", patches, always(testworld.LimitBody(http.StatusRequestedRangeNotSatisfiable, 1<<20, testworld.Always)), size + 1},
		{"no state for a while", "/v2/acme/model/blobs/uploads/*", always(testworld.Status(http.StatusInternalServerError, 4)), size + 2*chunk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			_, u := begin(t, r)
			data, d := weights(size)
			r.Fail(tt.path, tt.fault(r))
			step := chunk
			if strings.HasPrefix(tt.name, "chunks too large") {
				step = size
			}
			if err := send(t, u, data, step); err != nil {
				t.Fatal(err)
			}
			if err := u.Commit(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			check(t, r, d)
			if got := r.Received(); got > tt.most {
				t.Errorf("%d bytes were sent, want %d at most", got, tt.most)
			}
		})
	}
}

func always(f testworld.Fault) func(*testworld.Registry) testworld.Fault {
	return func(*testworld.Registry) testworld.Fault { return f }
}

// TestRangesThatLag imitates Amazon ECR: its ranges stay at the end of the first chunk,
// and it reports no state.
func TestRangesThatLag(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	data, d := weights(100)
	r.Fail(patches, testworld.WrongRange("0-9", testworld.Always))
	r.Fail(states, testworld.Status(http.StatusNotFound, testworld.Always))
	if err := send(t, u, data, 10); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n := r.Calls(states); n != 1 {
		t.Errorf("the state was asked for %d times, want once", n)
	}
}

func TestSendTellsWhereToGoOn(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	data, _ := weights(100)
	if err := send(t, u, data[:50], 10); err != nil {
		t.Fatal(err)
	}
	r.Fail(patches, testworld.Status(http.StatusInternalServerError, 1))
	r.Fail(states, testworld.WrongRange("0-19", 1))
	var moved *registry.OffsetError
	if err := u.Send(t.Context(), data[50:60]); !errors.As(err, &moved) || moved.Offset != 20 || u.Offset() != 20 {
		t.Errorf("got %v at %d, want to continue at 20", err, u.Offset())
	}
}

// TestRemaindersAreNoChunks cuts a chunk so that the rest is smaller than the minimum of
// a chunk.
func TestRemaindersAreNoChunks(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{ChunkMin: 1000})
	_, u := begin(t, r)
	if u.ChunkMin() != 1000 {
		t.Errorf("got minimum %d, want 1000", u.ChunkMin())
	}
	data, d := weights(10_000)
	r.Fail(patches, testworld.CutUpload(1900, true, 1))
	if err := send(t, u, data, 2000); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	check(t, r, d)
}

func TestForgottenUploads(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo, u := begin(t, r)
	data, d := weights(100)
	if err := u.Send(t.Context(), data[:50]); err != nil {
		t.Fatal(err)
	}
	r.ForgetUploads()
	if err := u.Send(t.Context(), data[50:]); !errors.Is(err, registry.ErrForgotten) {
		t.Errorf("send: got %v", err)
	}
	if _, err := repo.Resume(t.Context(), u.Location()); !errors.Is(err, registry.ErrForgotten) {
		t.Errorf("resume: got %v", err)
	}
	if err := u.Commit(t.Context(), d); !errors.Is(err, registry.ErrForgotten) {
		t.Errorf("commit: got %v", err)
	}
}

func TestResumeStaysAtHome(t *testing.T) {
	t.Parallel()
	r, other := testworld.NewRegistry(t, testworld.RegistryOptions{}), testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo := open(t, r, hasty())
	for _, location := range []string{other.URL + "/v2/a/blobs/uploads/1", "/v2/a", "http://%zz", ""} {
		if _, err := repo.Resume(t.Context(), location); !errors.Is(err, registry.ErrForgotten) {
			t.Errorf("%q: got %v, want it forgotten", location, err)
		}
	}
	if n := other.Calls("/v2/**"); n != 0 {
		t.Errorf("another host got %d requests", n)
	}
}

func TestSendGivesUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault testworld.Fault
		calls int
	}{
		{"always cut", testworld.CutUpload(0, true, testworld.Always), 4},
		{"always broken", testworld.Status(http.StatusInternalServerError, testworld.Always), 4},
		{"asked to retry tomorrow", testworld.Later(http.StatusTooManyRequests, "86400", testworld.Always), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo, u := begin(t, r)
			r.Fail(patches, tt.fault)
			data, _ := weights(100)
			checkKind(t, u.Send(t.Context(), data), failure.Transient, "run it again")
			if n := r.Calls(patches); n != tt.calls {
				t.Errorf("tried %d times, want %d", n, tt.calls)
			}
			r.Heal()
			again, err := repo.Resume(t.Context(), u.Location())
			if err != nil {
				t.Fatal(err)
			}
			if err := send(t, again, data, 100); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCancelForgets(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	u.Cancel(t.Context())
	if r.Uploads() != 0 {
		t.Error("the upload is still open")
	}
}

func TestCommitFindsOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault testworld.Fault
		path  string
		want  error
	}{
		{"answer lost", testworld.LoseAnswer(1), puts, nil},
		{"too busy for a while", testworld.Status(http.StatusGatewayTimeout, 3), puts, nil},
		{"answer lost, and nothing found for a while", testworld.LoseAnswer(1), "HEAD /v2/**", nil},
		{"other bytes", testworld.Status(http.StatusBadRequest, 1), puts, registry.ErrCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			_, u := begin(t, r)
			data, d := weights(1000)
			if err := send(t, u, data, 400); err != nil {
				t.Fatal(err)
			}
			if tt.path != puts {
				r.Fail(puts, testworld.LoseAnswer(1))
			}
			r.Fail(tt.path, tt.fault)
			if err := u.Commit(t.Context(), d); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				check(t, r, d)
			}
		})
	}
}

func TestCommitWithAnotherDigest(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	data, _ := weights(1000)
	if err := send(t, u, data, 400); err != nil {
		t.Fatal(err)
	}
	_, other := weights(999)
	if err := u.Commit(t.Context(), other); !errors.Is(err, registry.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, registry.ErrCorrupt)
	}
}

func TestUploadsSideBySide(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true})
	opts := hasty()
	opts.Keychain = keychain{"ann", "secret"}
	repo := open(t, r, opts)
	r.Fail(patches, testworld.LimitBody(http.StatusRequestEntityTooLarge, 1<<20, testworld.Always))
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			data, d := weights(3<<20 + n)
			u, err := repo.Start(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if err := send(t, u, data, 2<<20); err != nil {
				t.Error(err)
			}
			if err := u.Commit(t.Context(), d); err != nil {
				t.Error(err)
			}
			check(t, r, d)
		})
	}
	wg.Wait()
}

func BenchmarkSend(b *testing.B) {
	r := testworld.NewRegistry(b, testworld.RegistryOptions{Discard: true})
	_, u := begin(b, r)
	chunk, _ := weights(8 << 20)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if err := u.Send(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
	}
}
