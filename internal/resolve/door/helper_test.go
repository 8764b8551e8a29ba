package door_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
)

const (
	pypi = "https://pypi.example.com/simple"
	own  = "https://own.example.com/simple"
)

// world is the network outside: all hosts under example.com, on any port.
type world struct {
	tls, plain *httptest.Server
	client     *fetch.Client

	mu    sync.Mutex
	hosts map[string]http.HandlerFunc // by host, with its port if it has one
	came  []*http.Request
	slept []time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{hosts: map[string]http.HandlerFunc{}}
	w.tls = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.tls.EnableHTTP2 = true
	w.tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.tls.StartTLS()
	t.Cleanup(w.tls.Close)
	w.plain = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.plain.Close)
	w.client = fetch.New(fetch.Options{Transport: w.transport(), Sleep: w.sleep, Logins: func(u *url.URL) (user, password string, ok bool) {
		return "ada", "geheim", u.Hostname() == "own.example.com"
	}})
	return w
}

func (w *world) transport() *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(w.tls.Certificate())
	dial := func(s *httptest.Server) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
		}
	}
	plain, encrypted := dial(w.plain), dial(w.tls)
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ":80") {
				return plain(ctx, network, address)
			}
			return encrypted(ctx, network, address)
		},
	}
}

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slept = append(w.slept, d)
	return ctx.Err()
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.came = append(w.came, r.Clone(context.WithoutCancel(r.Context())))
	h := w.hosts[r.Host]
	w.mu.Unlock()
	if h == nil {
		http.Error(rw, "no such host in this world: "+r.Host, http.StatusTeapot)
		return
	}
	h(rw, r)
}

// host adds a host to the world.
func (w *world) host(name string, h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name] = h
}

// requests returns the requests to a host.
func (w *world) requests(host string) []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.came), func(r *http.Request) bool { return r.Host != host })
}

func open(t *testing.T, o door.Options) *door.Door {
	t.Helper()
	if o.Dir == "" {
		o.Dir = private(t)
	}
	d, err := door.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return d
}

// private returns a directory with a path short enough for a socket.
func private(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "door") //nolint:usetesting // t.TempDir has the test's name in its path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// inside returns a client like one in the exec.
func inside(t *testing.T, d *door.Door, h2 bool) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(d.Authority()) {
		t.Fatal("no certificate of an authority")
	}
	tr := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: "bridge"}),
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Socket())
		},
	}
	if !h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	code   int
	header http.Header
	body   string
	proto  string
	err    error // of the body, or of the connection
}

// ask makes a request, whose headers are "Name: value".
func ask(t *testing.T, c *http.Client, method, address string, headers ...string) answer {
	t.Helper()
	var body io.Reader = http.NoBody
	if method == http.MethodPost {
		body = strings.NewReader("posted")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data), resp.Proto, err}
}

func get(t *testing.T, d *door.Door, address string, headers ...string) answer {
	t.Helper()
	return ask(t, inside(t, d, true), http.MethodGet, address, headers...)
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

// projects serves pages of an index, by project, as HTML, or as JSON if they
// look like it.
func projects(pages map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple"), "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		if strings.HasPrefix(page, "{") {
			w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		}
		io.WriteString(w, page)
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func reasons(d *door.Door) string {
	var all strings.Builder
	for _, r := range d.Refused() {
		all.WriteString(r.Method + " " + r.URL + " " + r.Reason + "\n")
	}
	return all.String()
}

func problems(d *door.Door) string {
	var all strings.Builder
	for _, err := range d.Problems() {
		all.WriteString(err.Error() + "\n")
	}
	return all.String()
}
