package door_test

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
)

func TestRedirectsLetHostsBeAsked(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", "https://user:pw@cdn.example.com/x?sig=1")
		rw.WriteHeader(http.StatusFound)
	})
	w.host("cdn.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own}}})
	if a := get(t, d, "https://cdn.example.com/x"); a.err == nil {
		t.Errorf("before: got %+v", a)
	}
	a := get(t, d, own+"/a/file")
	if a.code != http.StatusFound || a.header.Get("Location") != "https://cdn.example.com/x?sig=1" {
		t.Fatalf("got %+v", a)
	}
	if a = get(t, d, a.header.Get("Location")); a.body != "content" {
		t.Errorf("after: got %+v", a)
	}
	first, second := w.requests("own.example.com")[0], w.requests("cdn.example.com")[0]
	if first.Header.Get("Authorization") == "" || second.Header.Get("Authorization") != "" {
		t.Errorf("logins: %q and %q", first.Header.Get("Authorization"), second.Header.Get("Authorization"))
	}
	if a := get(t, d, "https://cdn.example.com:8443/x"); a.err == nil {
		t.Errorf("another port: got %+v", a)
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	for _, to := range []string{
		"http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://127.0.0.1:8080/", "http://localhost/",
		"http://10.0.0.1/", "http://192.168.1.1/", "http://[fe80::1]/", "http://0.0.0.0/", "http://100.64.0.1/", "file:///etc/passwd", "ftp://cdn.example.com/",
	} {
		w.host("pypi.example.com", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Location", to)
			rw.WriteHeader(http.StatusMovedPermanently)
		})
		if a := get(t, d, pypi+"/a/file"); a.code != http.StatusForbidden || a.header.Get("Location") != "" {
			t.Errorf("%s: got %+v", to, a)
		}
	}
	if n := len(d.Refused()); n != 12 {
		t.Errorf("refused %d: %s", n, reasons(d))
	}
}

func TestPrivateHostsMayNamePrivateOnes(t *testing.T) {
	w := newWorld(t)
	w.host("10.0.0.1", projects(map[string]string{"a": `<a href="http://10.0.0.2/a-1.tar.gz">a</a><a href="http://127.0.0.1/a-2.tar.gz">a</a>`}))
	w.host("10.0.0.2", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: "http://10.0.0.1/simple"}}})
	get(t, d, "http://10.0.0.1/simple/a/")
	if a := get(t, d, "http://10.0.0.2/a-1.tar.gz"); a.body != "content" {
		t.Errorf("got %+v", a)
	}
	if a := get(t, d, "http://127.0.0.1/a-2.tar.gz"); a.code != http.StatusForbidden {
		t.Errorf("got %+v", a)
	}
}

// lying serves a file, and a page that names it with attributes.
func lying(w *world, attributes, content string) {
	w.host("pypi.example.com", projects(map[string]string{"a": `<a href="https://files.example.com/a-1.whl` + attributes + `">a</a>`}))
	w.host("files.example.com", text(content))
}

func TestFilesAreHeldAgainstTheirHashes(t *testing.T) {
	long := strings.Repeat("content ", 50_000)
	sha := sha512.Sum512([]byte(long))
	tests := []struct{ name, fragment, content, want string }{
		{"true", "#sha256=" + sum(long), long, ""},
		{"true, upper case", "#sha256=" + strings.ToUpper(sum(long)), long, ""},
		{"no hash", "", long, ""},
		{"sha512", "#sha512=" + hex.EncodeToString(sha[:]), long, ""},
		{"unknown algorithm", "#blake9=00", long, ""},
		{"another file", "#sha256=" + sum("x"), long, "index pypi lists the sha256 of https://files.example.com/a-1.whl as " + sum("x")},
		{"another short file", "#sha256=" + sum("x"), "y", "but the content has " + sum("y")},
		{"an empty file", "#sha256=" + sum("x"), "", "but the content has " + sum("")},
		{"md5", "#md5=00", long, "the md5 of"},
		{"sha512 is wrong", "#sha512=00", long, "the sha512 of"},
	}
	for _, tt := range tests {
		for _, h2 := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, h2 %v", tt.name, h2), func(t *testing.T) {
				w := newWorld(t)
				lying(w, tt.fragment, tt.content)
				d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
				get(t, d, pypi+"/a/")
				a := ask(t, inside(t, d, h2), http.MethodGet, "https://files.example.com/a-1.whl")
				digest, size, ok := d.SHA256("https://files.example.com/a-1.whl#x")
				if tt.want != "" {
					if a.err == nil || ok || !strings.Contains(problems(d), tt.want) {
						t.Errorf("got %d with %v, problems %q", a.code, a.err, problems(d))
					}
					return
				}
				if a.err != nil || a.body != tt.content || digest != sum(tt.content) || size != int64(len(tt.content)) || !ok || problems(d) != "" {
					t.Errorf("got %d bytes with %v, digest %s, %d bytes, problems %q", len(a.body), a.err, digest, size, problems(d))
				}
			})
		}
	}
}

// However the bytes arrive, they are checked against their index.
func TestNoWayAroundTheHash(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"another status": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusNonAuthoritativeInfo)
			io.WriteString(rw, "evil")
		},
		"a part that nobody asked for": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusPartialContent)
			io.WriteString(rw, "evil")
		},
		"an encoding": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			io.WriteString(rw, "evil")
		},
		"a redirect": func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == "files.example.com" {
				http.Redirect(rw, r, "https://own.example.com/to", http.StatusFound)
			} else if rw.Header().Set("Location", "/blob"); r.URL.Path == "/to" {
				rw.WriteHeader(http.StatusFound)
			} else if _, _, ok := r.BasicAuth(); ok {
				t.Error("the login of another host was sent")
			}
			io.WriteString(rw, "evil")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			lying(w, "#sha256="+sum("honest"), "")
			w.host("files.example.com", h)
			w.host("own.example.com", h)
			d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
			get(t, d, pypi+"/a/")
			a := get(t, d, "https://files.example.com/a-1.whl")
			for a.code == http.StatusFound {
				a = get(t, d, a.header.Get("Location"))
			}
			if a.err == nil || !strings.Contains(problems(d), "index pypi lists") {
				t.Errorf("passed: %+v, problems %q", a, problems(d))
			}
		})
	}
}

// A server may declare the compression of a .tar.gz as its encoding.
func TestEncodingOfAFileIsNone(t *testing.T) {
	w := newWorld(t)
	lying(w, "#sha256="+sum("honest"), "")
	w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "x-gzip")
		io.WriteString(rw, "honest")
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	get(t, d, pypi+"/a/")
	if a := get(t, d, "https://files.example.com/a-1.whl"); a.body != "honest" || a.header.Get("Content-Encoding") != "" || problems(d) != "" {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
}

func TestFilesAreHeldAgainstTheirSize(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", projects(map[string]string{"a": `{"files": [{"url": "https://files.example.com/a-1.whl", "size": 3, "core-metadata": {"sha256": "` + sum("x") + `"}}]}`}))
	w.host("files.example.com", text("four"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	get(t, d, pypi+"/a/")
	if a := get(t, d, "https://files.example.com/a-1.whl"); a.err == nil || !strings.Contains(problems(d), "as 3, but the content has 4") {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
	if a := get(t, d, "https://files.example.com/a-1.whl.metadata"); a.err == nil || !strings.Contains(problems(d), "a-1.whl.metadata as "+sum("x")) {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
}

func TestPartsAreNotHashed(t *testing.T) {
	w := newWorld(t)
	lying(w, "#sha256="+sum("x"), "")
	w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusPartialContent)
		io.WriteString(rw, "part")
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	get(t, d, pypi+"/a/")
	if a := get(t, d, "https://files.example.com/a-1.whl", "Range: bytes=0-3"); a.body != "part" || problems(d) != "" {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
	if _, _, ok := d.SHA256("https://files.example.com/a-1.whl"); ok {
		t.Error("a part has the digest of a whole")
	}
}

func TestCutBodyIsCutInside(t *testing.T) {
	w := newWorld(t)
	w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "100")
		io.WriteString(rw, "half")
		rw.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	d := open(t, door.Options{Client: w.client, Direct: []string{"https://files.example.com/x"}})
	if a := get(t, d, "https://files.example.com/x"); a.err == nil || !strings.Contains(problems(d), "reading https://files.example.com/x") {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
}

func TestHeadersOfOneConnectionStayThere(t *testing.T) {
	w := newWorld(t)
	w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Connection", "x-hop, X-Other")
		rw.Header().Set("X-Hop", "x")
		rw.Header().Set("Keep-Alive", "x")
		rw.Header().Set("X-Kept", "x")
	})
	d := open(t, door.Options{Client: w.client, Direct: []string{"http://files.example.com/x"}})
	a := get(t, d, "http://files.example.com/x")
	if a.header.Get("X-Hop")+a.header.Get("Connection")+a.header.Get("Keep-Alive") != "" || a.header.Get("X-Kept") != "x" {
		t.Errorf("got %+v", a)
	}
}

func TestStatuses(t *testing.T) {
	tests := []struct {
		name    string
		codes   []int
		want    int
		problem string
		kind    failure.Kind
		slept   int
	}{
		{"401", []int{401}, 401, "files.example.com answers 401", failure.Usage, 0},
		{"403", []int{403}, 403, "files.example.com answers 403", failure.Usage, 0},
		{"404", []int{404}, 404, "", 0, 0},
		{"500 once", []int{500, 200}, 200, "", 0, 1},
		{"500 for ever", []int{500}, 500, "answers 500", failure.Transient, 3},
		{"429 once", []int{429, 200}, 200, "", 0, 1},
		{"304", []int{304}, 304, "", 0, 0},
		{"204", []int{204}, 204, "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := 0
			w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", "2")
				rw.WriteHeader(tt.codes[min(n, len(tt.codes)-1)])
				n++
			})
			d := open(t, door.Options{Client: w.client, Direct: []string{"https://files.example.com/x"}})
			a := get(t, d, "https://files.example.com/x")
			if a.code != tt.want || len(w.slept) != tt.slept {
				t.Errorf("got %+v after %v", a, w.slept)
			}
			if !strings.Contains(problems(d), tt.problem) || (tt.problem == "") != (problems(d) == "") {
				t.Errorf("problems %q", problems(d))
			}
			if tt.problem != "" && (failure.KindOf(d.Problems()[0]) != tt.kind || len(failure.Hints(d.Problems()[0])) == 0) {
				t.Errorf("kind %v, hints %q", failure.KindOf(d.Problems()[0]), failure.Hints(d.Problems()[0]))
			}
		})
	}
}

// An error that a retry resolved is no problem, until it occurs again.
func TestTroubleThatPasses(t *testing.T) {
	w := newWorld(t)
	codes := []int{401, 200, 401}
	w.host("files.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(codes[0])
		codes = codes[1:]
	})
	d := open(t, door.Options{Client: w.client, Direct: []string{"https://files.example.com/x"}})
	for _, want := range []int{1, 0, 1} {
		get(t, d, "https://files.example.com/x")
		if all := d.Problems(); len(all) != want {
			t.Errorf("problems %q, want %d", all, want)
		}
	}
}

func TestTrouble(t *testing.T) {
	w := newWorld(t)
	over := make(chan struct{})
	w.host("files.example.com", func(http.ResponseWriter, *http.Request) { <-over })
	t.Cleanup(func() { close(over) })
	untrusted := w.transport()
	untrusted.TLSClientConfig = nil
	sleep := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	tests := []struct {
		name string
		o    fetch.Options
		want string
		hint string
	}{
		{"untrusted", fetch.Options{Transport: untrusted}, "its certificate is not trusted here", "SSL_CERT_FILE"},
		{"slow", fetch.Options{Transport: w.transport(), Stall: 30 * time.Millisecond, Sleep: sleep}, "stalled", "network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, door.Options{Client: fetch.New(tt.o), Direct: []string{"https://files.example.com/x"}})
			a := get(t, d, "https://files.example.com/x")
			if a.code != http.StatusBadGateway || !strings.Contains(a.body, tt.want) || strings.Count(a.body, "\n") != 1 {
				t.Errorf("got %+v", a)
			}
			if all := d.Problems(); len(all) != 1 || !strings.Contains(strings.Join(failure.Hints(all[0]), " "), tt.hint) {
				t.Errorf("problems %q", problems(d))
			}
		})
	}
}
