// Package testworld is the outside world for tests: servers that live in the test, hold what
// the test made, count requests, and fail in every way that servers fail.
package testworld

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
)

// World is a web server for one test. Its parts, such as a Debian repository, put their files
// into it.
type World struct {
	t   testing.TB
	URL string // without a slash at the end

	server   *httptest.Server
	wire     *wire
	mu       sync.Mutex
	files    map[string]file
	handlers map[string]http.Handler // by the directory that they serve
	gates    map[string]gate
	faults   map[string]*Fault
	tallies  map[string]tally
}

// New starts a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	return NewAt(t, "127.0.0.1:0")
}

// NewAt starts a world at an address of this machine, such as "127.0.0.2:0": another host than
// that of [New].
func NewAt(t testing.TB, address string) *World {
	t.Helper()
	w := &World{
		t: t, files: map[string]file{}, handlers: map[string]http.Handler{}, gates: map[string]gate{},
		faults: map[string]*Fault{}, tallies: map[string]tally{},
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w.wire = &wire{Listener: listener}
	w.server = &httptest.Server{Listener: w.wire, Config: &http.Server{Handler: http.HandlerFunc(w.serve)}} //nolint:gosec // its clients are tests
	w.server.Start()
	t.Cleanup(w.server.Close)
	w.URL = w.server.URL
	return w
}

// Stop takes the world off the network: connections are refused.
func (w *World) Stop() { w.server.Close() }

// Put serves content at a path.
func (w *World) Put(name string, content []byte) { w.put(name, file{data: content}) }

// PutFile serves a file on disk at a path. It is read only on request.
func (w *World) PutFile(name, disk string) { w.put(name, file{disk: disk}) }

func (w *World) put(name string, f file) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[clean(name)] = f
}

// Remove stops serving a path.
func (w *World) Remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.files, clean(name))
}

// Content returns what is served at a path.
func (w *World) Content(name string) []byte {
	w.t.Helper()
	w.mu.Lock()
	f := w.files[clean(name)]
	w.mu.Unlock()
	data, err := f.read()
	if err != nil {
		w.t.Fatal(err)
	}
	return bytes.Clone(data)
}

// handle makes a handler serve a directory.
func (w *World) handle(directory string, h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[clean(directory)] = h
}

func clean(name string) string { return path.Clean("/" + name) }

func matches(pattern, name string) bool {
	if directory, all := strings.CutSuffix(pattern, "/**"); all {
		return strings.HasPrefix(name, directory+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil || pattern == name
}

// below reports whether a path is a directory or inside it.
func below(directory, name string) bool {
	return name == directory || strings.HasPrefix(name, directory+"/")
}

// Handler returns the world's handler, for another server.
func (w *World) Handler() http.Handler { return http.HandlerFunc(w.serve) }

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	name := clean(r.URL.Path)
	w.count(name, r)
	rw = &countingWriter{ResponseWriter: rw, world: w, name: name}
	if g, shut := w.gateOf(name, r); shut {
		g.refuse(rw)
		return
	}
	answer := w.answerOf(name)
	if fault := w.faultOf(name); fault != nil {
		corrupt(fault, answer, rw, r)
		return
	}
	if answer == nil {
		answer = http.NotFoundHandler()
	}
	answer.ServeHTTP(rw, r)
}

// answerOf returns nil if there is nothing at a path.
func (w *World) answerOf(name string) http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := w.files[name]; ok {
		return f
	}
	for directory, h := range w.handlers {
		if below(directory, name) {
			return h
		}
	}
	return nil
}
