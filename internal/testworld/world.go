// Package testworld is the outside as tests need it: servers that live in the
// test, hold what the test made, count what is asked of them, and fail in every
// way that servers fail.
package testworld

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// World is a web server for one test. Its parts, such as a Debian repository,
// put their files into it.
type World struct {
	t   testing.TB
	URL string // without a slash at the end

	server *httptest.Server
	mu     sync.Mutex
	files  map[string][]byte
	faults map[string]*Fault
	counts map[string]int
}

// New starts a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, files: map[string][]byte{}, faults: map[string]*Fault{}, counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	w.URL, w.server = server.URL, server
	return w
}

// Stop takes the world off the network: connections are refused.
func (w *World) Stop() { w.server.Close() }

// Put lets the world serve content at a path.
func (w *World) Put(name string, content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[clean(name)] = content
}

// Content returns what is served at a path.
func (w *World) Content(name string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.files[clean(name)])
}

// Fail puts a fault between a path and those who ask for it. The path may be a
// pattern as of [path.Match], or end in "/**".
func (w *World) Fail(pattern string, f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[clean(pattern)] = &f
}

// Heal removes all faults.
func (w *World) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.faults)
}

// Requests counts how often the paths that match a pattern were asked for.
func (w *World) Requests(pattern string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for name, count := range w.counts {
		if matches(clean(pattern), name) {
			n += count
		}
	}
	return n
}

// Forget sets all counters to zero.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.counts)
}

func clean(name string) string { return path.Clean("/" + name) }

func matches(pattern, name string) bool {
	if folder, all := strings.CutSuffix(pattern, "/**"); all {
		return strings.HasPrefix(name, folder+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil || pattern == name
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	name := clean(r.URL.Path)
	w.mu.Lock()
	w.counts[name]++
	content, ok := w.files[name]
	fault := w.faultOf(name)
	w.mu.Unlock()
	switch {
	case fault != nil:
		fault(rw, r, content)
	case !ok:
		http.NotFound(rw, r)
	default:
		http.ServeContent(rw, r, path.Base(name), time.Time{}, bytes.NewReader(content))
	}
}

// faultOf uses up one time of the fault that lies on a path.
func (w *World) faultOf(name string) func(http.ResponseWriter, *http.Request, []byte) {
	for pattern, f := range w.faults {
		if !matches(pattern, name) || f.Times == 0 {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f.serve
	}
	return nil
}
