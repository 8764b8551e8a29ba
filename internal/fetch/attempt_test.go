package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"lamina.build/internal/fetch"
)

// slow yields one byte at a time, each after a pause.
type slow struct {
	io.Reader

	each time.Duration
}

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(s.each)
	return s.Reader.Read(p[:min(len(p), 1)])
}

// put sends a body, and returns the answer.
func put(ctx context.Context, c *fetch.Client, address string, body io.Reader, size int64) (code int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, body)
	if err != nil {
		return 0, "", err
	}
	req.ContentLength = size
	resp, err := c.Ask(req)
	if err != nil {
		return 0, "", err
	}
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), errors.Join(err, resp.Body.Close())
}

// A slow source of the body doesn't count as a stall of the server.
func TestSlowSourcesAreNoStall(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := client(fetch.Options{Stall: 60 * time.Millisecond})
	if _, text, err := put(t.Context(), c, s.URL, slow{strings.NewReader("abc"), 100 * time.Millisecond}, 3); text != "abc" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestAnswerTimeout(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(200 * time.Millisecond) })
	c := client(fetch.Options{Stall: 50 * time.Millisecond})
	if _, _, err := put(t.Context(), c, s.URL, strings.NewReader("abc"), 3); err == nil || !strings.Contains(err.Error(), "stalled") {
		t.Errorf("without its own timeout: got %v", err)
	}
	if _, _, err := put(fetch.WithAnswerTimeout(t.Context(), 5*time.Second), c, s.URL, strings.NewReader("abc"), 3); err != nil {
		t.Errorf("with its own timeout: got %v", err)
	}
}

func TestErrorsOfTheBodyAreFinal(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	broken := errors.New("the disk is gone")
	_, _, err := put(t.Context(), client(fetch.Options{}), s.URL, iotest.ErrReader(broken), 3)
	if !errors.Is(err, broken) || !fetch.IsFinal(err) || err.Error() != broken.Error() {
		t.Errorf("got %v", err)
	}
}

// The sent bytes are the caller's again once the answer is closed.
func TestNobodyReadsABodyAfterItsEnd(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	data := make([]byte, 32<<20)
	c := client(fetch.Options{})
	for range 5 {
		_, _, _ = put(t.Context(), c, s.URL, bytes.NewReader(data), int64(len(data))) // the connection may break before the answer
		clear(data)                                                                   // watched by the race detector
	}
}

// again sends each request twice, like a login that has expired.
type again struct{ below http.RoundTripper }

func (a again) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.below.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return a.below.RoundTrip(r)
}

func TestThrough(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	below := client(fetch.Options{})
	c := below.Through(again{below})
	if _, text, err := put(t.Context(), c, s.URL, strings.NewReader("abc"), 3); text != "abc" || err != nil || len(s.requests()) != 2 {
		t.Errorf("got %q, %v after %d requests", text, err, len(s.requests()))
	}
	if _, _, err := put(t.Context(), c, s.URL, io.MultiReader(strings.NewReader("abc")), 3); err == nil || !strings.Contains(err.Error(), "part of it was sent") {
		t.Errorf("a body that can't be reopened: got %v", err)
	}
}

func TestRedirectsOfOtherMethods(t *testing.T) {
	for code, want := range map[int]string{301: "GET ", 302: "GET ", 303: "GET ", 307: "PUT abc", 308: "PUT abc"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there", code)
				return
			}
			data, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Method+" "+string(data))
		})
		if _, text, err := put(t.Context(), client(fetch.Options{}), s.URL, strings.NewReader("abc"), 3); text != want || err != nil {
			t.Errorf("%d: got %q, %v, want %q", code, text, err, want)
		}
		got, _, err := put(t.Context(), client(fetch.Options{}), s.URL, io.MultiReader(strings.NewReader("abc")), 3)
		if isSame := strings.HasPrefix(want, "PUT"); err != nil || isSame != (got == code) {
			t.Errorf("%d, with a body that can't be reopened: got %d, %v", code, got, err)
		}
	}
}

// A request whose body can't be reopened is made once, however it fails, and a canceled one
// isn't repeated either.
func TestNothingIsTriedForNothing(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	over, cancel := context.WithCancel(t.Context())
	ends := serve(t, func(http.ResponseWriter, *http.Request) {
		cancel()
		panic(http.ErrAbortHandler)
	})
	for _, tt := range []struct {
		name, address string
		ctx           context.Context
		body          io.Reader
		pauses        int
	}{
		{"a body that can't be reopened", gone.URL, t.Context(), io.MultiReader(strings.NewReader("x")), 0},
		{"one that can", gone.URL, t.Context(), strings.NewReader("x"), 3},
		{"none", gone.URL, t.Context(), http.NoBody, 3},
		{"canceled", ends.URL, over, http.NoBody, 0},
	} {
		p := new(pauses)
		req, err := http.NewRequestWithContext(tt.ctx, http.MethodPost, tt.address, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(fetch.Options{Sleep: p.sleep}).Do(tt.ctx, req)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s: got %d", tt.name, resp.StatusCode)
		}
		if got := len(p.all()); got != tt.pauses {
			t.Errorf("%s: %d pauses before %v, want %d", tt.name, got, err, tt.pauses)
		}
	}
}
