package debian_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/fetch"
	"lamina.build/internal/test/testworld"
)

func promise(content string) debian.File {
	return debian.File{Size: int64(len(content)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content)))}
}

var content = strings.Repeat("a package, ", 10_000)

func TestWhatBreaksOnTheWayIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault testworld.Fault
	}{
		{"503", testworld.Status(http.StatusServiceUnavailable, 2)},
		{"429", testworld.Status(http.StatusTooManyRequests, 1)},
		{"cut", testworld.Cut(2)},
		{"stalled", testworld.Stall(1)},
		{"slow", testworld.Slow(20*time.Millisecond, 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			w.Put("/file", []byte(content))
			w.Fail("/file", tc.fault)
			name, err := getter(t).Get(t.Context(), w.URL+"/file", promise(content))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(name); string(got) != content {
				t.Errorf("got %d bytes (%v), want %d", len(got), err, len(content))
			}
		})
	}
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault testworld.Fault
		want  any
	}{
		{"403", testworld.Status(http.StatusForbidden, testworld.Always), new(*fetch.StatusError)},
		{"404", testworld.Status(http.StatusNotFound, testworld.Always), new(*fetch.StatusError)},
		{"wrong bytes", testworld.Wrong(testworld.Always), new(*fetch.MismatchError)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			w.Put("/file", []byte(content))
			w.Fail("/file", tc.fault)
			g := getter(t)
			_, err := g.Get(t.Context(), w.URL+"/file", promise(content))
			if err == nil || !errors.As(err, tc.want) {
				t.Errorf("got %v, want a %T", err, tc.want)
			}
			if n := w.Requests("/file"); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			checkNothingLeft(t, g.CacheDir)
		})
	}
}

func TestItIsGivenUpAfterAFewAttempts(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("/file", []byte(content))
	w.Fail("/file", testworld.Cut(testworld.Always))
	g := getter(t)
	_, err := g.Get(t.Context(), w.URL+"/file", promise(content))
	var unreachable *fetch.UnreachableError
	if !errors.As(err, &unreachable) || unreachable.Attempts != 4 || w.Requests("/file") != 4 {
		t.Errorf("got %v after %d requests, want 4 attempts", err, w.Requests("/file"))
	}
	checkNothingLeft(t, g.CacheDir)
}

// TestManyServersUnderOneName has servers whose ETags for a file differ, so that a cut download
// begins again.
func TestManyServersUnderOneName(t *testing.T) {
	t.Parallel()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		n++
		rw.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		rw.Header().Set("Content-Length", strconv.Itoa(len(content)))
		if n == 1 {
			fmt.Fprint(rw, content[:10])
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(rw, content)
	}))
	defer s.Close()
	if _, err := getter(t).Get(t.Context(), s.URL, promise(content)); err != nil || n != 3 {
		t.Errorf("got %v after %d requests", err, n)
	}
}

func TestACancelledTransferEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("/file", []byte(content))
	w.Fail("/file", testworld.Stall(testworld.Always))
	g := getter(t)
	g.HTTP = fetch.New(fetch.Options{Stall: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := g.Get(ctx, w.URL+"/file", promise(content))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	checkNothingLeft(t, g.CacheDir)
}

func TestACachedFileNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("/file", []byte(content))
	g := getter(t)
	name, err := g.Get(t.Context(), w.URL+"/file", promise(content))
	if err != nil {
		t.Fatal(err)
	}
	w.Stop()
	if _, err := g.Get(t.Context(), w.URL+"/file", promise(content)); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte(content[1:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Get(t.Context(), w.URL+"/file", promise(content)); err == nil {
		t.Error("a damaged file in the cache was used")
	}
}

func TestADirectoryIsAMirror(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a+b"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := debian.ParseMirrors(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := getter(t)
	if _, err := g.Get(t.Context(), m.URL(debian.Main, "a+b"), promise(content)); err != nil {
		t.Error(err)
	}
	if _, err := g.Get(t.Context(), m.URL(debian.Main, "none"), promise("none")); !debian.IsNotFound(err) {
		t.Errorf("got %v, want a not-found error", err)
	}
}

// checkNothingLeft checks that no temporary files are left.
func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s was left behind", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
