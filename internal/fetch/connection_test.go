package fetch_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lamina.build/internal/fetch"
)

// counted runs a handler, and counts the connections to it.
func counted(t *testing.T, h http.HandlerFunc) (s *httptest.Server, made *atomic.Int64) {
	t.Helper()
	made = new(atomic.Int64)
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, made
}

// The connection of an unwanted answer is reused, unless draining it would transfer too
// much.
func TestUnwantedAnswersLeaveTheirConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		body int
		code int
		made int64
	}{
		{"nothing", 0, http.StatusServiceUnavailable, 1},
		{"a short text", 1000, http.StatusServiceUnavailable, 1},
		{"a page", 64 << 10, http.StatusServiceUnavailable, 1},
		{"more than a page", 8 << 20, http.StatusServiceUnavailable, 3},
		{"a redirect with a short text", 1000, http.StatusFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			s, made := counted(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 3 {
					return
				}
				w.Header().Set("Location", r.URL.Path+"x")
				w.Header().Set("Content-Length", strconv.Itoa(tt.body))
				w.WriteHeader(tt.code)
				w.Write(make([]byte, tt.body))
			})
			if _, _, err := client(fetch.Options{}).Read(t.Context(), s.URL+"/", 10); err != nil {
				t.Fatal(err)
			}
			if made.Load() != tt.made {
				t.Errorf("%d requests took %d connections, want %d", n.Load(), made.Load(), tt.made)
			}
		})
	}
}

// closing counts the bodies of answers that are still open.
type closing struct {
	below http.RoundTripper
	open  atomic.Int64
}

type closingBody struct {
	io.ReadCloser
	closed func()
	once   atomic.Bool
}

func (b *closingBody) Close() error {
	if !b.once.Swap(true) {
		b.closed()
	}
	return b.ReadCloser.Close()
}

func (c *closing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.below.RoundTrip(req)
	if err == nil {
		c.open.Add(1)
		resp.Body = &closingBody{ReadCloser: resp.Body, closed: func() { c.open.Add(-1) }}
	}
	return resp, err
}

// Whatever a server answers, no answer stays open when the client is done with it.
func TestAnswersAreClosed(t *testing.T) {
	t.Parallel()
	data := noise(3 << 20)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(code)
			io.WriteString(w, "some words")
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"ranges":         content(data),
		"no ranges":      func(w http.ResponseWriter, _ *http.Request) { w.Write(data) },
		"cut":            cutter(data, 2<<20, nil),
		"nothing":        content(nil),
		"missing":        status(http.StatusNotFound),
		"busy":           status(http.StatusServiceUnavailable),
		"to nowhere":     status(http.StatusFound),
		"another part":   partOf("bytes 9-9/100"),
		"a part of what": partOf("bytes 0-0/*"),
		"no part":        partOf(""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, h)
			transport := &closing{below: http.DefaultTransport}
			c := client(fetch.Options{Transport: transport, TempDir: t.TempDir()})
			for _, limit := range []int64{50, 1 << 30} {
				if f, err := c.Open(t.Context(), s.URL, limit); err == nil {
					_, _ = io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())) // as far as possible
					if err := f.Close(); err != nil {
						t.Error(err)
					}
				}
				_, _, _ = c.Read(t.Context(), s.URL, limit)
			}
			if n := transport.open.Load(); n != 0 {
				t.Errorf("%d of the answers to %d requests are open", n, len(s.requests()))
			}
		})
	}
}

// partOf answers every range request with a byte and the given Content-Range.
func partOf(contentRange string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, "x")
	}
}

// Files of gigabytes get a connection each; everything else shares one.
func TestBulkTransport(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	for want, transport := range map[string]*http.Transport{"HTTP/2.0": fetch.NewTransport(), "HTTP/1.1": fetch.NewBulkTransport()} {
		transport.TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
		t.Cleanup(transport.CloseIdleConnections)
		got, _, err := client(fetch.Options{Transport: transport}).Read(t.Context(), s.URL, 100)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %s", got, err, want)
		}
	}
}

// A listener that doesn't complete the TLS handshake is detected sooner than a stall.
func TestServerThatNeverShakesHands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := fetch.NewTransport()
		transport.Proxy = nil
		var far []net.Conn
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			client, other := net.Pipe()
			far = append(far, other)
			go func() { _, _ = io.Copy(io.Discard, other) }()
			return client, nil
		}
		begin := time.Now()
		_, err := client(fetch.Options{Transport: transport, Attempts: 1}).Get(t.Context(), "https://silent.example/")
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "handshake") || took > 15*time.Second {
			t.Errorf("got %v after %s", err, took)
		}
		for _, c := range far {
			c.Close()
		}
	})
}
