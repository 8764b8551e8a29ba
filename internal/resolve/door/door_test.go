package door_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/resolve/door"
)

func TestPassesRequestsOn(t *testing.T) {
	for _, tt := range []struct {
		name, address, proto string
		h2                   bool
	}{
		{"h2", pypi + "/?a=b", "HTTP/2.0", true},
		{"HTTP/1.1", pypi + "/?a=b", "HTTP/1.1", false},
		{"another port", "https://pypi.example.com:8443/%2Bx", "HTTP/2.0", true},
		{"http", "http://pypi.example.com/x", "HTTP/1.1", true},
		{"an IP address", "https://127.0.0.1:8443/x", "HTTP/2.0", true},
		{"an IPv6 address", "https://[::1]/x", "HTTP/2.0", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			for _, host := range []string{"pypi.example.com", "pypi.example.com:8443", "127.0.0.1:8443", "[::1]"} {
				w.host(host, func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.Host+r.RequestURI) })
			}
			d := open(t, door.Options{
				Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}},
				Direct: []string{"https://pypi.example.com:8443/x", "https://pypi.example.com/x", "https://127.0.0.1:8443/x", "https://[::1]/x", "http://pypi.example.com/x"},
			})
			a := ask(t, inside(t, d, tt.h2), http.MethodGet, tt.address)
			_, want, _ := strings.Cut(tt.address, "://")
			if a.err != nil || a.body != want || a.proto != tt.proto {
				t.Errorf("got %+v", a)
			}
			if seen := d.Seen(); len(seen) != 1 || seen[0].Status != 200 {
				t.Errorf("seen %+v", seen)
			}
		})
	}
}

func TestRefusesHostsThatNothingNames(t *testing.T) {
	w := newWorld(t)
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	for _, address := range []string{
		"https://evil.example.com/", "https://pypi.example.com:8443/", "http://pypi.example.com/", "http://169.254.169.254/latest/meta-data/",
		"https://pypi.example.com.evil.example.com/", "http://localhost/",
	} {
		a := get(t, d, address)
		if a.err == nil && a.code != http.StatusForbidden {
			t.Errorf("%s: got %+v", address, a)
		}
	}
	if len(d.Refused()) != 6 || len(w.came) != 0 {
		t.Errorf("refused %q, asked %d times", reasons(d), len(w.came))
	}
	if a := get(t, d, "http://pypi.example.com/"); !strings.Contains(a.body, "pypi.example.com:80: no index, requirement, page or redirect names it") {
		t.Errorf("said %q", a.body)
	}
	if len(d.Refused()) != 6 {
		t.Error("a refusal is recorded twice")
	}
}

func TestTunnelIsForItsHostAlone(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.Host) })
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, pypi, http.NoBody)
	req.Host = "evil.example.com"
	resp, err := inside(t, d, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, _ := io.ReadAll(resp.Body); string(data) != "pypi.example.com" {
		t.Errorf("asked %q", data)
	}
}

func TestMetadataAddressIsRefusedWhoeverNamesIt(t *testing.T) {
	w := newWorld(t)
	d := open(t, door.Options{Client: w.client, Direct: []string{"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/"}})
	for _, address := range []string{"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/"} {
		if a := get(t, d, address); a.code != http.StatusForbidden || !strings.Contains(a.body, "metadata") {
			t.Errorf("%s: got %+v", address, a)
		}
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t)
	w.host("git.example.com", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(rw, r.Method+string(body))
	})
	d := open(t, door.Options{Client: w.client, Direct: []string{"https://git.example.com/x"}})
	tests := []struct {
		method, path, want string
		code               int
	}{
		{"GET", "/x", "GET", 200},
		{"HEAD", "/x", "", 200},
		{"POST", "/o/r.git/git-upload-pack", "POSTposted", 200},
		{"GET", "/o/r.git/info/refs?service=git-upload-pack", "GET", 200},
		{"POST", "/o/r.git/git-receive-pack", "write", 403},
		{"GET", "/o/r.git/info/refs?service=git-receive-pack", "write", 403},
		{"GET", "/o/r.git/info/refs?a&service=git%2Dreceive-pack", "write", 403},
		{"POST", "/x", "POST is not allowed: requests may only read", 403},
		{"PUT", "/x", "PUT", 403},
		{"DELETE", "/x", "DELETE", 403},
		{"OPTIONS", "/x", "OPTIONS", 403},
		{"PATCH", "/o/r.git/git-upload-pack", "PATCH", 403},
	}
	c := inside(t, d, true)
	for _, tt := range tests {
		a := ask(t, c, tt.method, "https://git.example.com"+tt.path)
		if a.code != tt.code || !strings.Contains(a.body, tt.want) {
			t.Errorf("%s %s: got %+v", tt.method, tt.path, a)
		}
	}
}

func TestLoginsAreAddedOutsideAlone(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{"own.example.com", "pypi.example.com"} {
		w.host(host, func(rw http.ResponseWriter, _ *http.Request) {
			h := rw.Header()
			h.Set("Set-Cookie", "session=geheim")
			h.Set("WWW-Authenticate", "Basic")
			h.Set("Proxy-Authenticate", "Basic")
			h.Set("X-Kept", "x")
		})
	}
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: "https://ada:geheim@own.example.com/simple"}, {Name: "pypi", URL: pypi}}})
	sent := []string{
		"Authorization: Basic ZXZlOg==", "Cookie: a=b", "Proxy-Authorization: Basic x", "X-Api-Key: x", "Private-Token: x", "Connection: If-Match", "If-Match: x",
		"Range: bytes=0-1", "Accept: text/html", "Git-Protocol: version=2", "Accept-Encoding: br", "If-None-Match: x", "User-Agent: uv/1",
	}
	for _, host := range []string{"own.example.com", "pypi.example.com"} {
		a := ask(t, inside(t, d, false), http.MethodGet, "https://"+host+"/simple/a/x", sent...)
		if a.err != nil || a.header.Get("X-Kept") == "" {
			t.Fatalf("got %+v", a)
		}
		for _, name := range []string{"Set-Cookie", "Www-Authenticate", "Proxy-Authenticate"} {
			if a.header.Get(name) != "" {
				t.Errorf("%s passed in", name)
			}
		}
		r := w.requests(host)[0]
		for _, name := range []string{"Cookie", "Proxy-Authorization", "X-Api-Key", "Private-Token", "If-Match", "Connection"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s passed out", name)
			}
		}
		for _, line := range sent[7:] {
			if name, value, _ := strings.Cut(line, ": "); r.Header.Get(name) != value {
				t.Errorf("%s became %q", line, r.Header.Get(name))
			}
		}
		user, _, ok := r.BasicAuth()
		if want := map[string]string{"own.example.com": "ada"}[host]; user != want || ok != (want != "") {
			t.Errorf("%s: the login of %q", host, user)
		}
	}
	// Other requests to the same host are anonymous.
	for _, path := range []string{"/x", "/simple/../admin", "/simplex"} {
		before := len(w.requests("own.example.com"))
		if a := ask(t, inside(t, d, false), http.MethodGet, "https://own.example.com"+path); a.err != nil {
			t.Fatalf("got %+v", a)
		}
		if _, _, ok := w.requests("own.example.com")[before].BasicAuth(); ok {
			t.Errorf("%s: the login was sent", path)
		}
	}
}

// Only what is required by its address gets the login.
func TestLoginsOfWhatIsRequired(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{"own.example.com", "own.example.com:443"} {
		w.host(host, func(rw http.ResponseWriter, r *http.Request) {
			if to := map[string]string{"/me/old/info/refs": "/me/moved.git/info/refs", "/me/away": "https://own.example.com:8443/x"}[r.URL.Path]; to != "" {
				http.Redirect(rw, r, to+"?"+r.URL.RawQuery, http.StatusFound)
				return
			}
			user, _, _ := r.BasicAuth()
			io.WriteString(rw, user)
		})
	}
	d := open(t, door.Options{Client: w.client, Direct: []string{
		"https://own.example.com/me/r", "https://own.example.com/me/x.whl?id=1", "https://own.example.com/me/old.git", "https://own.example.com/me/away", "https://own.example.com/",
	}, Named: []string{"https://own.example.com/me/tree.git?rev=1"}})
	for _, tt := range []struct{ method, address, want string }{
		{"GET", "https://own.example.com/me/r/info/refs?service=git-upload-pack", "ada"},
		{"GET", "https://own.example.com/me/r.git/info/refs?service=git-upload-pack", "ada"},
		{"POST", "https://own.example.com/me/r.git/git-upload-pack", "ada"},
		{"POST", "https://own.example.com/me/tree/git-upload-pack", "ada"},
		{"GET", "https://own.example.com/me/x.whl?id=1", "ada"},
		{"GET", "https://own.example.com/me/x.whl?id=2", ""},
		{"GET", "https://own.example.com/me/r/archive/main.tar.gz", ""},
		{"GET", "https://own.example.com/me/r/../other/info/refs", ""},
		{"GET", "https://own.example.com/somebody/private/archive/main.tar.gz", ""},
		{"POST", "https://own.example.com/me/moved.git/git-upload-pack", ""},
		{"GET", "https://own.example.com/me/old.git/info/refs?service=git-upload-pack", "ada"},
		{"GET", "https://own.example.com/me/old/info/refs?service=git-upload-pack", "<a"},
		{"POST", "https://own.example.com/me/moved.git/git-upload-pack", "ada"},
		{"GET", "http://own.example.com/me/r/info/refs", "Lamina doesn't"},
		{"GET", "http://own.example.com:443/me/r/info/refs", "Lamina doesn't"},
	} {
		if a := ask(t, inside(t, d, true), tt.method, tt.address); !strings.HasPrefix(a.body, tt.want) || tt.want == "" && a.body != "" {
			t.Errorf("%s %s: got %q (%v)", tt.method, tt.address, a.body, a.err)
		}
	}
}

// A page to which an index redirects on its own host is requested with its login.
func TestLoginsStayOnTheirOrigin(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", func(rw http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "ada" {
			rw.WriteHeader(http.StatusUnauthorized)
		} else if r.URL.Path == "/simple/a/" {
			http.Redirect(rw, r, "/pypi/a/", http.StatusFound)
		}
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own}}})
	if a := get(t, d, "https://own.example.com/pypi/a/"); a.code != http.StatusUnauthorized || !strings.Contains(problems(d), "Lamina sends none to this address") {
		t.Errorf("before: got %+v, problems %q", a, problems(d))
	}
	get(t, d, own+"/a/")
	if a := get(t, d, "https://own.example.com/pypi/a/"); a.code != http.StatusOK {
		t.Errorf("after: got %+v, problems %q", a, problems(d))
	}
}

func TestOpenRefuses(t *testing.T) {
	public := private(t)
	if err := os.Chmod(public, 0o755); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(private(t), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    door.Options
		want string
	}{
		{"a directory of others", door.Options{Dir: public}, "accessible to others"},
		{"no directory", door.Options{Dir: filepath.Join(public, "none")}, "reading the directory"},
		{"a long name", door.Options{Dir: long}, "too long"},
		{"an index that is none", door.Options{Dir: private(t), Indexes: []door.Index{{Name: "x", URL: "file:///x"}}}, "address file:///x"},
		{"an address that is none", door.Options{Dir: private(t), Direct: []string{"a/b"}}, "address a/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := door.Open(t.Context(), tt.o)
			if err == nil {
				d.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d, err := door.Open(ctx, door.Options{Dir: private(t)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", d.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes", n)
	}
}

func TestWhatIsNoRequestToAProxy(t *testing.T) {
	w := newWorld(t)
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	for _, line := range []string{
		"GET / HTTP/1.1", "GET https://pypi.example.com/ HTTP/1.1", "CONNECT pypi.example.com HTTP/1.1", "CONNECT :443 HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http:///x HTTP/1.1",
	} {
		conn, err := net.Dial("unix", d.Socket())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, line+"\r\nHost: pypi.example.com\r\nConnection: close\r\n\r\n")
		if data, _ := io.ReadAll(conn); !strings.HasPrefix(string(data), "HTTP/1.1 400 ") {
			t.Errorf("%s: got %q", line, data)
		}
		conn.Close()
	}
	if len(w.came) != 0 {
		t.Errorf("%d requests went out", len(w.came))
	}
}

// A client may begin TLS before the response to CONNECT.
func TestTunnelTakesWhatCameEarly(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	conn, err := net.Dial("unix", d.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.Authority())
	c := tls.Client(&eager{Conn: conn, say: "CONNECT pypi.example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"}, &tls.Config{RootCAs: roots, ServerName: "pypi.example.com"})
	io.WriteString(c, "GET /x HTTP/1.0\r\n\r\n")
	if data, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(data), "content") {
		t.Errorf("got %q and %v", data, err)
	}
}

// eager writes say together with the first bytes, and hides the response to it.
type eager struct {
	net.Conn
	say  string
	seen bool
}

func (e *eager) Write(p []byte) (int, error) {
	_, err := e.Conn.Write(append([]byte(e.say), p...))
	e.say = ""
	return len(p), err
}

func (e *eager) Read(p []byte) (int, error) {
	if !e.seen {
		e.seen = true
		if _, err := io.ReadFull(e.Conn, make([]byte, len("HTTP/1.1 200 OK\r\n\r\n"))); err != nil {
			return 0, err
		}
	}
	return e.Conn.Read(p)
}

func TestCloseEndsWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	started, over := make(chan struct{}, 5), make(chan struct{})
	w.host("slow.example.com", func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, strings.Repeat("x", 200_000))
		rw.(http.Flusher).Flush()
		started <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	defer close(over)
	w.host("endless.example.com", func(rw http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		for r.Context().Err() == nil {
			rw.Write(make([]byte, 1<<16))
		}
	})
	before := runtime.NumGoroutine()
	d, err := door.Open(t.Context(), door.Options{Client: w.client, Dir: private(t), Direct: []string{"https://slow.example.com/x", "https://endless.example.com/x", "http://slow.example.com/x"}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan answer, 3)
	for _, h2 := range []bool{true, false} {
		c := inside(t, d, h2)
		go func() { ended <- ask(t, c, http.MethodGet, "https://slow.example.com/") }()
	}
	c := inside(t, d, false)
	go func() { ended <- ask(t, c, http.MethodGet, "http://slow.example.com/") }()
	for _, h2 := range []bool{true, false} { // clients that don't read
		resp, failed := inside(t, d, h2).Get("https://endless.example.com/")
		if failed != nil {
			t.Fatal(failed)
		}
		defer resp.Body.Close()
	}
	for range 5 {
		<-started
	}
	idle, err := net.Dial("unix", d.Socket()) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for range 3 {
		if a := <-ended; a.err == nil {
			t.Errorf("an answer arrived whole: %d bytes", len(a.body))
		}
	}
	if _, err := os.Stat(d.Socket()); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if len(d.Problems()) != 0 {
		t.Errorf("problems: %s", problems(d))
	}
	w.tls.CloseClientConnections()
	w.plain.CloseClientConnections()
	for range 500 { // goroutines of net/http end on their own
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
