package registry_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// hasty has the short waits of tests.
func hasty() registry.Options {
	return registry.Options{
		Keychain: keychain{}, Finish: 2 * time.Second,
		HTTP: fetch.Options{Attempts: 4, Wait: time.Millisecond, MaxRetryWait: 6 * time.Second, Stall: time.Second},
	}
}

// keychain has one login for everything.
type keychain struct{ user, password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	if k.user == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func open(t testing.TB, r *testworld.Registry, o registry.Options) *registry.Repository {
	t.Helper()
	repo, err := registry.Open(t.Context(), r.Host+"/acme/model", o)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// begin opens a repository and starts an upload to it.
func begin(t testing.TB, r *testworld.Registry) (*registry.Repository, *registry.Upload) {
	t.Helper()
	repo := open(t, r, hasty())
	u, err := repo.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return repo, u
}

// weights returns bytes like those of models: no two parts are the same.
func weights(n int) ([]byte, digest.Digest) {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data, digest.FromBytes(data)
}

// send sends data from the upload's offset, like callers do.
func send(t testing.TB, u *registry.Upload, data []byte, size int) error {
	t.Helper()
	for moves := 0; u.Offset() < int64(len(data)); {
		at := int(u.Offset())
		err := u.Send(t.Context(), data[at:min(at+size, len(data))])
		var moved *registry.OffsetError
		if errors.As(err, &moved) && moves < 10 {
			if moved.Offset != u.Offset() {
				t.Errorf("the error has byte %d, but the upload %d", moved.Offset, u.Offset())
			}
			moves++
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check compares a blob in the registry with its digest.
func check(t testing.TB, r *testworld.Registry, d digest.Digest) {
	t.Helper()
	if got := r.Blob("acme/model", d); digest.FromBytes(got) != d {
		t.Errorf("the registry has %d bytes that don't match %s", len(got), d)
	}
}

func checkKind(t *testing.T, err error, kind failure.Kind, hint string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	if got := failure.KindOf(err); got != kind {
		t.Errorf("got kind %d for %q, want %d", got, err, kind)
	}
	if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(hints, hint) {
		t.Errorf("got hints %q for %q, want %q", hints, err, hint)
	}
}
