package uv

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
)

// directory returns a project with files of these contents.
func directory(content map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range content {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return tree
}

// requirements reads the requirements.txt and, if there is one, the constraints.txt of
// content.
func requirements(t *testing.T, content map[string]string) reqfile.Set {
	t.Helper()
	o := reqfile.Options{FS: directory(content), Requirements: []string{"requirements.txt"}}
	if _, ok := content["constraints.txt"]; ok {
		o.Constraints = []string{"constraints.txt"}
	}
	set, err := reqfile.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func answers(t *testing.T, texts ...string) []answer {
	t.Helper()
	list := make([]answer, len(texts))
	for i, text := range texts {
		a, err := readAnswer([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list[i] = a
	}
	return list
}

// entry is a file of a wheel. Without content it is a directory.
type entry struct {
	name, content string
	mode          os.FileMode
}

// metadataOf returns the METADATA of a wheel.
func metadataOf(name, version string) string {
	return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n\nName: of the description\n"
}

const wheelText = "Wheel-Version: 1.0\n"

// own returns the files that every wheel has.
func own(name, version string) []entry {
	dir := strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/"
	return []entry{{name: dir + "METADATA", content: metadataOf(name, version)}, {name: dir + "WHEEL", content: wheelText}, {name: dir + "RECORD"}}
}

func zipped(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// wheelOf returns a wheel with its own files and some more.
func wheelOf(t *testing.T, name, version string, more ...entry) []byte {
	t.Helper()
	return zipped(t, append(own(name, version), more...)...)
}

func crc(data []byte) uint32 { return crc32.ChecksumIEEE(data) }

func sumOf(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// site is a server of files that records requested paths.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]http.HandlerFunc
	asked []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{pages: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		page := s.pages[r.URL.Path]
		s.mu.Unlock()
		if page == nil {
			http.NotFound(w, r)
			return
		}
		page(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// put serves a file, with support for ranges.
func (s *site) put(path string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(path, "/") {
			w.Header().Set("Content-Type", "text/html")
			if bytes.HasPrefix(data, []byte("{")) {
				w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
			}
		}
		http.ServeContent(w, r, "", testTime, bytes.NewReader(data))
	}
}

// status answers a path with a status.
func (s *site) status(path string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// times returns how often a path was requested.
func (s *site) times(path string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, asked := range s.asked {
		if asked == path {
			n++
		}
	}
	return n
}

// quick returns a client that doesn't retry.
func quick() *fetch.Client { return fetch.New(fetch.Options{Attempts: 1}) }

// notebook records notes from any goroutine.
type notebook struct {
	mu   sync.Mutex
	told []string
}

func (n *notebook) note(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, line)
}

// refused requires a usage error that contains some words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no problem, want %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want %q in it", err, word)
		}
	}
	if kind := failure.KindOf(err); kind != failure.Usage {
		t.Errorf("kind of %q is %d, want usage", err, kind)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// through requests an address through a door, as uv does.
func through(t *testing.T, d *door.Door, address string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "bridge"}), DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Socket())
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
}
