package fetch_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/fetch"
)

func TestRedirectsTakeNoLoginAlong(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "there") })
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "user:pw@localhost", 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	c := client(fetch.Options{Logins: func(u *url.URL) (user, password string, ok bool) { return "ada", "geheim", u.Hostname() == "127.0.0.1" }})
	data, _, err := c.Read(t.Context(), s.URL, 100)
	if err != nil || string(data) != "there" {
		t.Fatalf("got %q, %v", data, err)
	}
	if user, _, _ := s.requests()[0].BasicAuth(); user != "ada" {
		t.Errorf("the first host got the login of %q", user)
	}
	if h := other.requests()[0].Header; h.Get("Authorization") != "" || h.Get("Referer") != "" {
		t.Errorf("the second host got %v", h)
	}
}

// Nor does the request's own login follow a redirect to another port.
func TestHeadersFollowToNoOtherPort(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) {})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, map[string]string{"/": "/there", "/there": other.URL}[r.URL.Path], http.StatusFound)
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token")
	resp, err := client(fetch.Options{}).Ask(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for i, r := range append(s.requests(), other.requests()...) {
		if (r.Header.Get("Authorization") != "") != (i < 2) {
			t.Errorf("%s%s got %q", r.Host, r.URL, r.Header.Get("Authorization"))
		}
	}
}

// A .netrc has no ports: another port may belong to somebody else.
func TestLoginsFollowToNoOtherPort(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, map[string]string{"/": "/there", "/there": other.URL}[r.URL.Path], http.StatusFound)
	})
	c := client(fetch.Options{Logins: func(*url.URL) (user, password string, ok bool) { return "ada", "geheim", true }})
	_, err := c.Get(t.Context(), s.URL)
	for i, r := range append(s.requests(), other.requests()...) {
		if user, _, _ := r.BasicAuth(); (user == "ada") != (i < 2) {
			t.Errorf("%s%s got the login of %q", r.Host, r.URL, user)
		}
	}
	if status, ok := errors.AsType[*fetch.StatusError](err); !ok || status.LoggedIn || !status.Withheld {
		t.Errorf("got %v", err)
	}
}

func TestRedirectWithASlowBodyIsFollowed(t *testing.T) {
	for _, size := range []string{"", "400"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/to" {
				io.WriteString(w, "there")
				return
			}
			w.Header().Set("Location", "/to")
			if size != "" {
				w.Header().Set("Content-Length", size)
			}
			w.WriteHeader(http.StatusFound)
			for r.Context().Err() == nil {
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		}))
		t.Cleanup(s.Close)
		begin := time.Now()
		data, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 100)
		if err != nil || string(data) != "there" || time.Since(begin) > 1800*time.Millisecond {
			t.Errorf("size %q: got %q and %v after %s", size, data, err, time.Since(begin))
		}
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	tests := []struct{ name, location, want string }{
		{"down to http", "http://%s/", "from https to http"},
		{"for ever", "/", "more than 10 redirects"},
		{"off the web", "ftp://%s/", "not a web address"},
		{"to a cloud's credentials", "https://[::ffff:169.254.169.254]/", "a link-local or metadata address"},
		{"nowhere", "http://[::1", "not a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", strings.ReplaceAll(tt.location, "%s", r.Host))
				w.WriteHeader(http.StatusFound)
			}))
			t.Cleanup(s.Close)
			_, err := client(fetch.Options{Transport: s.Client().Transport}).Get(t.Context(), s.URL)
			if _, ok := errors.AsType[*fetch.RedirectError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUntrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	p := new(pauses)
	_, err := client(fetch.Options{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}, Sleep: p.sleep}).Get(t.Context(), s.URL)
	if !fetch.IsUntrusted(err) || len(p.all()) != 0 {
		t.Errorf("got %v after %v", err, p.all())
	}
}

// cutter serves content, interrupted after each n bytes.
func cutter(content []byte, n int, header map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		c := &cut{ResponseWriter: w, left: n}
		http.ServeContent(c, r, "x.bin", time.Time{}, bytes.NewReader(content))
		if c.left <= 0 {
			panic(http.ErrAbortHandler)
		}
	}
}

type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	_, _ = c.ResponseWriter.Write(p[:n])
	c.ResponseWriter.(http.Flusher).Flush()
	if n < len(p) {
		c.left = 0
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestCutBodyGoesOn(t *testing.T) {
	content := []byte(strings.Repeat("0123456789", 10_000))
	for _, tag := range []string{"", `"v1"`, `W/"weak"`} {
		t.Run("ETag "+tag, func(t *testing.T) {
			s := serve(t, cutter(content, 30_000, map[string]string{"ETag": tag}))
			data, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 1<<20)
			if err != nil || !bytes.Equal(data, content) {
				t.Fatalf("got %d bytes and %v", len(data), err)
			}
			if got := s.requests()[1].Header.Get("Range"); got != "bytes=30000-" {
				t.Errorf("requested %q", got)
			}
			if got := s.requests()[1].Header.Get("If-Range"); (got != "") != (tag == `"v1"`) {
				t.Errorf("requested with If-Range %q", got)
			}
		})
	}
}

func TestCutBodyGoesOnWithoutRanges(t *testing.T) {
	content, n := []byte(strings.Repeat("0123456789", 10_000)), 20_000
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		n += 40_000
		cutter(content, n, nil)(w, r)
	})
	data, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 1<<20)
	if err != nil || !bytes.Equal(data, content) {
		t.Errorf("got %d bytes and %v", len(data), err)
	}
}

func TestCutBodyThatChangesFails(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		cutter([]byte(strings.Repeat("0123456789", 10_000)), 30_000, map[string]string{"ETag": fmt.Sprintf(`"v%d"`, n)})(w, r)
	})
	_, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 1<<20)
	if _, ok := errors.AsType[*fetch.ChangedError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestBodyThatBringsNothingFails(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cutter([]byte(strings.Repeat("0123456789", 10_000)), 1, nil)(w, r)
		panic(http.ErrAbortHandler)
	})
	p := new(pauses)
	_, _, err := client(fetch.Options{Sleep: p.sleep}).Read(t.Context(), s.URL+"/?limit", 10)
	if _, ok := errors.AsType[*fetch.SizeError](err); !ok {
		t.Errorf("a byte each time: got %v", err)
	}
	s.Config.Handler = cutter(make([]byte, 100), 0, nil)
	if _, _, err = client(fetch.Options{Sleep: p.sleep}).Read(t.Context(), s.URL, 1<<20); err == nil {
		t.Error("an empty body gave no error")
	}
}

func TestRedirectsOnAHostKeepTheLoginOfTheAddress(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "http://eve:x@"+r.Host+"/there", http.StatusFound)
		}
	})
	if _, _, err := client(fetch.Options{}).Read(t.Context(), strings.Replace(s.URL, "://", "://ada:geheim@", 1), 100); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.requests() {
		if user, _, _ := r.BasicAuth(); user != "ada" {
			t.Errorf("%s has the login of %q", r.URL, user)
		}
	}
}
