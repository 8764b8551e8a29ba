package registry_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// odd is a registry with a handler for a repository's requests, and otherwise an empty
// one.
func odd(t *testing.T, tls bool, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, r)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func openOdd(t *testing.T, s *httptest.Server, o registry.Options) *registry.Repository {
	t.Helper()
	repo, err := registry.Open(t.Context(), s.Listener.Addr().String()+"/acme/model", o)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// A registry that assumes plain HTTP is behind a proxy with TLS, and the weights keep using
// that.
func TestLocationsKeepToTLS(t *testing.T) {
	t.Parallel()
	s := odd(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+"/v2/acme/model/blobs/uploads/1?_state=x")
		w.WriteHeader(http.StatusAccepted)
	})
	opts := hasty()
	opts.HTTP.Stall = time.Minute // TLS takes its time on a busy machine
	opts.Insecure = true          // the certificate is not signed
	u, err := openOdd(t, s, opts).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err = u.Send(t.Context(), []byte("weights")); err != nil || !strings.HasPrefix(u.Location(), "https://") {
			t.Errorf("sent to %q: %v", u.Location(), err)
		}
	}
	opts.Insecure = false
	_, err = registry.Open(t.Context(), s.Listener.Addr().String()+"/acme/model", opts)
	checkKind(t, err, failure.Usage, "SSL_CERT_FILE")
}

// A registry's answers about an upload are checked before use.
func TestOddUploads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, location, length string
		want                   string
		least                  int64
	}{
		{"no location", "", "", "returned no location of the upload", 0},
		{"none that can be read", "http://%zz", "", "returned an invalid location", 0},
		{"somebody else's", "http://10.0.0.1/x", "", `redirects the upload to "10.0.0.1", which is insecure or private`, 0},
		{"no number", "/v2/x", "many", "", 0},
		{"less than nothing", "/v2/x", "-5", "", 0},
		{"large chunks", "/v2/x", "1000", "", 1000},
	} {
		s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", tt.location)
			w.Header().Set("OCI-Chunk-Min-Length", tt.length)
			w.WriteHeader(http.StatusAccepted)
		})
		u, err := openOdd(t, s, hasty()).Start(t.Context())
		switch {
		case tt.want != "":
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		case err != nil || u.ChunkMin() != tt.least || u.Location() != s.URL+tt.location:
			t.Errorf("%s: got %+v, %v", tt.name, u, err)
		}
	}
}

// Resuming an upload of another process requires an offset from the registry.
func TestResumeNeedsAByte(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int64{"0-99": 100, "bytes=0-99": 100, "0-0": 0, "": 0, "7-99": -1, "soon": -1} {
		s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Range", said)
			w.WriteHeader(http.StatusNoContent)
		})
		u, err := openOdd(t, s, hasty()).Resume(t.Context(), s.URL+"/v2/acme/model/blobs/uploads/1")
		if want < 0 {
			if !errors.Is(err, registry.ErrForgotten) {
				t.Errorf("%q: got %v, want it forgotten", said, err)
			}
		} else if err != nil || u.Offset() != want {
			t.Errorf("%q: got %+v, %v, want byte %d", said, u, err, want)
		}
	}
}

// A manifest must match the requested or announced digest, and have a media type.
func TestOddManifests(t *testing.T) {
	t.Parallel()
	const text = `{"schemaVersion":2}`
	own, other := digest.FromString(text), digest.FromString("other")
	for _, tt := range []struct {
		name, reference, announced, mediaType string
		want                                  string
	}{
		{"as announced", "1", own.String(), "application/json; charset=utf-8", ""},
		{"nothing announced", "1", "", "application/json", ""},
		{"announced in another algorithm", "1", "sha512:" + strings.Repeat("a", 128), "application/json", ""},
		{"another announced", "1", other.String(), "application/json", "its digest is " + own.String() + " and not " + other.String()},
		{"another requested", other.String(), own.String(), "application/json", "its digest is " + own.String() + " and not " + other.String()},
		{"another requested in another algorithm", digest.SHA512.FromString("other").String(), own.String(), "application/json", "its digest is " + digest.SHA512.FromString(text).String()},
		{"requested in another algorithm", digest.SHA512.FromString(text).String(), own.String(), "application/json", ""},
		{"a path", "../../other/manifests/1", "", "application/json", "neither a tag nor a digest"},
		{"no type", own.String(), "", "/", "reading its media type"},
	} {
		s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", tt.announced)
			w.Header().Set("Content-Type", tt.mediaType)
			io.WriteString(w, text)
		})
		got, data, err := openOdd(t, s, hasty()).Manifest(t.Context(), tt.reference)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		} else if err != nil || string(data) != text || got.Digest != own || got.MediaType != "application/json" {
			t.Errorf("%s: got %+v, %q, %v", tt.name, got, data, err)
		}
	}
}

// Reading an endless manifest stops at a size that none has.
func TestEndlessManifest(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]string{"a gigabyte": "1000000000", "endless": ""} {
		s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for zeros := make([]byte, 1<<20); ; {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		})
		_, _, err := openOdd(t, s, hasty()).Manifest(t.Context(), "1")
		if err == nil || !strings.Contains(err.Error(), `manifest "1" of "`) || !strings.Contains(err.Error(), "larger than 8388608 bytes") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A registry that stored other bytes than were sent reveals it by their digest.
func TestOtherBytesAreStored(t *testing.T) {
	t.Parallel()
	data := []byte("configuration")
	for _, tt := range []struct {
		stored string
		want   error
	}{
		{digest.FromBytes(data).String(), nil},
		{"", nil},
		{"sha512:" + strings.Repeat("a", 128), nil},
		{digest.FromString("other").String(), registry.ErrCorrupt},
	} {
		s := odd(t, false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/v2/acme/model/blobs/uploads/1")
			w.Header().Set("Docker-Content-Digest", tt.stored)
			w.WriteHeader(map[string]int{
				http.MethodPost: http.StatusAccepted, http.MethodPut: http.StatusCreated, http.MethodHead: http.StatusNotFound,
			}[r.Method])
		})
		repo := openOdd(t, s, hasty())
		if err := repo.PutManifest(t.Context(), "1", "application/json", data); !errors.Is(err, tt.want) {
			t.Errorf("manifest stored as %q: got %v", tt.stored, err)
		}
		if _, err := repo.PutBlob(t.Context(), data); !errors.Is(err, tt.want) {
			t.Errorf("blob stored as %q: got %v", tt.stored, err)
		}
	}
}

// A registry's error messages are shown, up to a limit.
func TestMessagesOfARegistry(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`{"errors":[{"code":"DENIED","message":"quota exceeded"},{"code":"UNKNOWN"}]}`: "409 Conflict: DENIED quota exceeded; UNKNOWN",
		`{"errors":[{"message":"` + strings.Repeat("x", 300) + `"}]}`:                  "409 Conflict: " + strings.Repeat("x", 200),
		`<html>no</html>`: "409 Conflict",
	} {
		s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, said)
		})
		_, err := openOdd(t, s, hasty()).Start(t.Context())
		if err == nil || !strings.HasSuffix(err.Error(), "the registry answers "+want) {
			t.Errorf("got %v, want %q at its end", err, want)
		}
	}
}

// Registries are retried for longer than other servers: a push of hours shouldn't fail
// because of a minute of problems.
func TestRetriesByDefault(t *testing.T) {
	t.Parallel()
	s := odd(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	var mu sync.Mutex
	var slept []time.Duration
	opts := registry.Options{Keychain: keychain{}}
	opts.HTTP.Sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		slept = append(slept, d)
		return ctx.Err()
	}
	repo := openOdd(t, s, opts)
	if got := repo.Limits(); got != (registry.Limits{Name: s.Listener.Addr().String()}) {
		t.Errorf("limits of an unknown registry: %+v", got)
	}
	_, err := repo.Start(t.Context())
	checkKind(t, err, failure.Transient, "run it again")
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}
	if !slices.EqualFunc(slept, want, func(got, want time.Duration) bool { return (got - want).Abs() <= want/4 }) {
		t.Errorf("slept %v, want about %v", slept, want)
	}
}

// broken is a keychain whose helper is missing.
type broken struct{}

func (broken) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("docker-credential-none: not found")
}

func TestKeychainsMayBreak(t *testing.T) {
	t.Parallel()
	opts := hasty()
	opts.Keychain = broken{}
	_, err := registry.Open(t.Context(), "registry.test/a", opts)
	checkKind(t, err, failure.Usage, "")
	if !strings.Contains(err.Error(), `finding the login for "registry.test": docker-credential-none`) {
		t.Errorf("got %v", err)
	}
}
