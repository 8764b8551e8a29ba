package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// Problems of an index are retried if that helps, and reported if it doesn't.
func TestRealFaultsOfIndexes(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	file := "beta-2.1-py3-none-any.whl"
	for name, tt := range map[string]struct {
		corrupt func(*testworld.World, *testworld.Index)
		code    int
		says    []string
	}{
		"cut": {func(w *testworld.World, x *testworld.Index) {
			w.Fail("/simple/beta", testworld.Cut(1))
			w.Fail(x.FilePath(file), testworld.Cut(1))
		}, 0, nil},
		"500 once": {func(w *testworld.World, _ *testworld.Index) { w.Fail("/simple/*", testworld.Status(500, 1)) }, 0, nil},
		"slow": {func(w *testworld.World, x *testworld.Index) {
			w.Fail(x.FilePath(file), testworld.Slow(50*time.Millisecond, 2))
		}, 0, nil},
		"401":          {func(w *testworld.World, _ *testworld.Index) { w.Protect("/simple", "me", "x") }, 2, []string{" answers 401 to http://", "hint: put a login for 127.0.0.1 into ~/.netrc"}},
		"file refused": {func(w *testworld.World, _ *testworld.Index) { w.Protect("/simple-files", "me", "x") }, 2, []string{" answers 401 to http://", file, "hint: put a login for 127.0.0.1 into ~/.netrc"}},
		"cut always": {func(w *testworld.World, x *testworld.Index) {
			w.Fail(x.FilePath(file), testworld.Cut(testworld.Always))
		}, 75, []string{file}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			x := w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "beta", Version: "2.1"})
			tt.corrupt(w, x)
			dir := e2etest.Needs(t, "--index-url "+x.URL, "beta")
			if tt.code != 0 {
				u.Fails(t, tt.code, tt.says, "lock", dir)
				return
			}
			u.Build(t, "lock", dir)
			if diff := cmp.Diff([]string{"beta 2.1"}, e2etest.Titles(e2etest.ReadLock(t, dir))); diff != "" {
				t.Errorf("locked (-want +got):\n%s", diff)
			}
		})
	}
}

// front returns a server in front of a world.
func front(t *testing.T, w *testworld.World, before func(http.ResponseWriter, *http.Request) bool) http.Handler {
	t.Helper()
	to, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !before(rw, r) {
			proxy.ServeHTTP(rw, r)
		}
	})
}

func TestRealIndexAsksToComeAgain(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	w.Index(testworld.IndexOptions{Relative: true}, testworld.Wheel{Name: "beta"})
	var first time.Time
	early := 0
	server := httptest.NewServer(front(t, w, func(rw http.ResponseWriter, _ *http.Request) bool {
		switch {
		case first.IsZero():
			first = time.Now()
		case time.Since(first) < 2*time.Second:
			early++
		default:
			return false
		}
		rw.Header().Set("Retry-After", "2")
		rw.WriteHeader(http.StatusTooManyRequests)
		return true
	}))
	defer server.Close()
	u.Build(t, "lock", e2etest.Needs(t, "--index-url "+server.URL+"/simple", "beta"))
	if early > 0 {
		t.Errorf("it got %d requests before its Retry-After", early)
	}
}

func TestRealIndexLiesAboutASize(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	beta := testworld.Wheel{Name: "beta"}
	data := beta.Bytes(t)
	w.Put("files/"+beta.FileName(), data)
	server := httptest.NewServer(front(t, w, func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/simple/beta/" {
			return false
		}
		rw.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		_, _ = fmt.Fprintf(rw, `{"meta": {"api-version": "1.1"}, "name": "beta", "versions": ["1.0"], "files": [{"filename": %q, "url": %q, "hashes": {"sha256": "%x"}, "size": %d, "yanked": false}]}`,
			beta.FileName(), w.URL+"/files/"+beta.FileName(), sha256.Sum256(data), len(data)+1)
		return true
	}))
	defer server.Close()
	u.Fails(t, 1, []string{"requirements.txt:2: python: ", fmt.Sprintf("%d bytes", len(data)), fmt.Sprint(len(data) + 1)}, "lock", e2etest.Needs(t, "--index-url "+server.URL+"/simple", "beta"))
}

// A certificate is trusted if the machine trusts its authority.
func TestRealCertificates(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	w.Index(testworld.IndexOptions{Relative: true}, testworld.Wheel{Name: "beta"})
	address, authority := testworld.ServeTLS(t, "127.0.0.1:0", front(t, w, func(http.ResponseWriter, *http.Request) bool { return false }))
	dir := e2etest.Needs(t, "--index-url "+address+"/simple", "beta")
	u.Fails(t, 1, []string{"its certificate is not trusted here", "hint: ", "SSL_CERT_FILE"}, "lock", dir)
	u.Env = []string{"SSL_CERT_FILE=" + testworld.TrustAlso(t, authority)}
	u.Build(t, "lock", dir)
	if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "beta"); !strings.HasPrefix(d.URL, address) {
		t.Errorf("beta comes from %s", d.URL)
	}
}

func TestRealProxyRefuses(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "not for you", http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	address := strings.TrimPrefix(proxy.URL, "http://")
	u.Env = []string{"HTTPS_PROXY=" + proxy.URL}
	u.Fails(t, 1, []string{"proxy " + address + " answers 407", "hint: check HTTPS_PROXY and NO_PROXY"}, "lock", e2etest.Needs(t, "--index-url https://index.example/simple", "beta"))
}

// A client that is killed in the middle of a resolve leaves nothing that breaks the next
// one. An engine that goes away is a transient problem.
func TestRealKilledInAResolve(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	w.Index(testworld.IndexOptions{Relative: true}, testworld.Wheel{Name: "beta"})
	for name, tt := range map[string]struct {
		kill func(client *exec.Cmd, cut func())
		code int
	}{
		"client": {func(client *exec.Cmd, _ func()) { _ = client.Process.Kill() }, -1},
		"engine": {func(_ *exec.Cmd, cut func()) { cut() }, 75},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, open := make(chan struct{}, 100), make(chan struct{})
			server := httptest.NewServer(front(t, w, func(_ http.ResponseWriter, r *http.Request) bool {
				asked <- struct{}{}
				select {
				case <-open:
				case <-r.Context().Done():
				}
				return false
			}))
			defer server.Close()
			dir := e2etest.Needs(t, "--index-url "+server.URL+"/simple", "beta")
			address, cut := wire(t, u.Addr)
			client := exec.CommandContext(t.Context(), e2etest.Program(t), "lock", dir)
			var said bytes.Buffer
			client.Dir, client.Stderr = u.Dir, &said
			client.Env = append(os.Environ(), "XDG_CACHE_HOME="+u.Cache, "BUILDKIT_HOST="+address)
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-asked:
			case <-time.After(2 * time.Minute):
				t.Fatal("the index got no request")
			}
			tt.kill(client, cut)
			_ = client.Wait()
			if got := client.ProcessState.ExitCode(); got != tt.code {
				t.Errorf("exit code %d, want %d\n%s", got, tt.code, &said)
			}
			if _, err := os.Stat(filepath.Join(dir, "image.lock")); err == nil {
				t.Error("a lock was written anyway")
			}
			close(open)
			u.Build(t, "lock", dir)
		})
	}
}

// wire returns an address that leads to an engine, and a function that cuts it.
func wire(t *testing.T, address string) (there string, cut func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire") //nolint:usetesting // with a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(address, "unix://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _, _ = client.Close(), far.Close() })
			for _, ends := range [][2]net.Conn{{client, far}, {far, client}} {
				go func() {
					_, _ = io.Copy(ends[0], ends[1])
					_, _ = client.Close(), far.Close()
				}()
			}
		}
	}()
	cut = func() {
		_ = listener.Close()
		cancel()
	}
	t.Cleanup(cut)
	return "unix://" + filepath.Join(dir, "s"), cut
}
