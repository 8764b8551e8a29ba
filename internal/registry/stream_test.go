package registry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// TestStreamWhereNoChunksAreTaken falls back like callers do.
func TestStreamWhereNoChunksAreTaken(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 404, 405, 413, 416, 501} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		repo, u := begin(t, r)
		r.Fail(patches, testworld.RefuseChunks(code, testworld.Always))
		data, d := weights(3 << 20)
		if err := u.Send(t.Context(), data); !errors.Is(err, registry.ErrNoChunks) {
			t.Fatalf("%d: got %v, want %v", code, err, registry.ErrNoChunks)
		}
		u.Cancel(t.Context())
		u, err := repo.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Stream(t.Context(), int64(len(data)), bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if u.Offset() != int64(len(data)) {
			t.Errorf("the offset is %d, want %d", u.Offset(), len(data))
		}
		if err := u.Commit(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		check(t, r, d)
	}
}

func TestNoChunksForThoseKnownToTakeNone(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	opts := hasty()
	opts.Limits = registry.LimitsOf("europe-docker.pkg.dev")
	u, err := open(t, r, opts).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Send(t.Context(), []byte("chunk")); !errors.Is(err, registry.ErrNoChunks) {
		t.Errorf("got %v, want %v", err, registry.ErrNoChunks)
	}
	if n := r.Calls(patches); n != 0 {
		t.Errorf("the registry got %d chunks", n)
	}
}

func TestChunksOfThoseKnownToTakeSmallOnes(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	opts := hasty()
	opts.Limits = registry.LimitsOf("ghcr.io")
	u, err := open(t, r, opts).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Send(t.Context(), make([]byte, 9<<20)); err != nil {
		t.Fatal(err)
	}
	if n := r.Calls(patches); n != 3 { // of 4 MiB at most
		t.Errorf("9 MiB were sent in %d chunks", n)
	}
}

// TestForgottenIsNotUnable has a registry accept chunks and then forget the upload: that is
// no reason to give up chunks.
func TestForgottenIsNotUnable(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo, u := begin(t, r)
	if err := u.Send(t.Context(), []byte("chunk")); err != nil {
		t.Fatal(err)
	}
	u, err := repo.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.ForgetUploads()
	if err := u.Send(t.Context(), []byte("chunk")); !errors.Is(err, registry.ErrForgotten) {
		t.Errorf("got %v, want %v", err, registry.ErrForgotten)
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault testworld.Fault
	}{
		{"as it should be", testworld.Fault{}},
		{"answer lost", testworld.LoseAnswer(1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo := open(t, r, hasty())
			r.Fail(puts, tt.fault)
			data, d := weights(1 << 20)
			if err := repo.Whole(t.Context(), d, 1<<20, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			check(t, r, d)
		})
	}
}

// ways are the ways to send a blob in one request.
func ways() map[string]func(*testing.T, *registry.Repository, digest.Digest, int64, io.Reader) error {
	return map[string]func(*testing.T, *registry.Repository, digest.Digest, int64, io.Reader) error{
		"stream": func(t *testing.T, repo *registry.Repository, _ digest.Digest, size int64, body io.Reader) error {
			t.Helper()
			u, err := repo.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return u.Stream(t.Context(), size, body)
		},
		"whole": func(t *testing.T, repo *registry.Repository, d digest.Digest, size int64, body io.Reader) error {
			t.Helper()
			return repo.Whole(t.Context(), d, size, body)
		},
	}
}

const bodies = "/v2/acme/model/blobs/uploads/*"

func TestWhatBreaksOffIsTransient(t *testing.T) {
	t.Parallel()
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo := open(t, r, hasty())
			data, d := weights(1 << 20)
			r.Fail(bodies, testworld.CutUpload(1000, true, 1))
			checkKind(t, way(t, repo, d, 1<<20, bytes.NewReader(data)), failure.Transient, "run it again: what the registry already has is not sent again")
			r.Fail(bodies, testworld.Status(http.StatusServiceUnavailable, 1))
			checkKind(t, way(t, repo, d, 1<<20, bytes.NewReader(data)), failure.Transient, "run it again: what the registry already has is not sent again")
			if err := way(t, repo, d, 1<<20, bytes.NewReader(data)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTooLargeNamesTheSize(t *testing.T) {
	t.Parallel()
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo := open(t, r, hasty())
			data, d := weights(3 << 20)
			r.Fail(bodies, testworld.LimitBody(http.StatusRequestEntityTooLarge, 1<<20, testworld.Always))
			err := way(t, repo, d, 3<<20, bytes.NewReader(data))
			checkKind(t, err, failure.Failure, "another registry")
			var large *registry.TooLargeError
			if !errors.As(err, &large) || large.Bytes != 3<<20 || !strings.Contains(err.Error(), "3.1 MB") {
				t.Errorf("got %v, want it to name 3.1 MB", err)
			}
			if r.Received() != 0 {
				t.Errorf("%d bytes were sent in vain", r.Received())
			}
		})
	}
}

// TestTooLargeAfterAWhile has a registry that accepts chunks until they are too
// many.
func TestTooLargeAfterAWhile(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	if err := u.Send(t.Context(), make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	r.Fail(patches, testworld.Status(http.StatusRequestEntityTooLarge, testworld.Always))
	var large *registry.TooLargeError
	if err := u.Send(t.Context(), make([]byte, 1000)); !errors.As(err, &large) || !strings.Contains(err.Error(), "a layer of more than 1.0 kB") {
		t.Errorf("got %v, want it too large", err)
	}
}

// TestErrorsOfTheBodyAreNotTheRegistrys has the source fail.
func TestErrorsOfTheBodyAreNotTheRegistrys(t *testing.T) {
	t.Parallel()
	broken := errors.New("the hub is gone")
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo := open(t, r, hasty())
			_, d := weights(1 << 20)
			body := io.MultiReader(bytes.NewReader(make([]byte, 1000)), iotest.ErrReader(broken))
			err := way(t, repo, d, 1<<20, body)
			if !errors.Is(err, broken) || failure.KindOf(err) != failure.Failure {
				t.Errorf("got %v of kind %d, want %v", err, failure.KindOf(err), broken)
			}
		})
	}
}

// TestNoStateNoChunks has a registry that refuses a chunk for its range and
// doesn't report its offset.
func TestNoStateNoChunks(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	_, u := begin(t, r)
	r.Fail(patches, testworld.Status(http.StatusRequestedRangeNotSatisfiable, testworld.Always))
	r.Fail(states, testworld.Status(http.StatusNotFound, testworld.Always))
	if err := u.Send(t.Context(), []byte("chunk")); !errors.Is(err, registry.ErrNoChunks) {
		t.Errorf("got %v, want %v", err, registry.ErrNoChunks)
	}
}
