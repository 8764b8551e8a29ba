package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/fetch"
)

func do(t *testing.T, c *fetch.Client, method, address string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestDoTriesAgain(t *testing.T) {
	tests := []struct {
		name  string
		codes []int // answered in turn, the last one repeatedly
		after string
		want  int
		slept []time.Duration
	}{
		{"at once", []int{200}, "", 200, nil},
		{"after a 500", []int{500, 200}, "", 200, []time.Duration{300 * time.Millisecond}},
		{"after 502, 503 and 504", []int{502, 503, 504, 200}, "", 200, []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}},
		{"after 408, 425 and Cloudflare's", []int{408, 425, 522, 200}, "", 200, []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}},
		{"more than a second after a 429", []int{429, 429, 200}, "", 200, []time.Duration{1700 * time.Millisecond, 3400 * time.Millisecond}},
		{"as long as requested", []int{429, 200}, "7", 200, []time.Duration{7 * time.Second}},
		{"not for an hour", []int{429, 200}, "3600", 429, nil},
		{"until a minute is over", []int{429}, "25", 429, []time.Duration{25 * time.Second, 25 * time.Second}},
		{"four times", []int{503}, "", 503, []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond}},
		{"not after a 404", []int{404, 200}, "", 404, nil},
		{"not after a 401", []int{401, 200}, "", 401, nil},
		{"not after a redirect", []int{302, 200}, "", 302, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if got, _ := io.ReadAll(r.Body); string(got) != "asked" {
					t.Errorf("attempt %d has the body %q", n, got)
				}
				w.Header().Set("Retry-After", tt.after)
				w.WriteHeader(tt.codes[min(n, len(tt.codes)-1)])
				n++
				io.WriteString(w, "answer")
			})
			p := new(pauses)
			code, body := do(t, client(fetch.Options{Sleep: p.sleep}), http.MethodPost, s.URL, strings.NewReader("asked"))
			if code != tt.want || body != "answer" {
				t.Errorf("got %d %q, want %d", code, body, tt.want)
			}
			alike := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= min(a, b)*2/3 })
			if diff := cmp.Diff(tt.slept, p.all(), alike); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPausesDiffer(t *testing.T) {
	p := new(pauses)
	c := client(fetch.Options{Sleep: p.sleep, Attempts: 2})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for range 10 {
		do(t, c, http.MethodGet, s.URL, nil)
	}
	if all := p.all(); slices.Min(all) < 225*time.Millisecond || slices.Max(all) > 375*time.Millisecond || slices.Min(all) == slices.Max(all) {
		t.Errorf("waited %v", all)
	}
}

// A host's request to wait holds for all requests, whichever client makes them.
func TestBusyHostIsLeftAlone(t *testing.T) {
	p := new(pauses)
	c := client(fetch.Options{Sleep: p.sleep, Attempts: 2})
	n := 0
	busy := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	idle := serve(t, func(http.ResponseWriter, *http.Request) {})
	do(t, c, http.MethodGet, busy.URL, nil)
	do(t, c.Apart(), http.MethodGet, busy.URL, nil)
	do(t, c, http.MethodGet, idle.URL, nil)
	if all := p.all(); len(all) != 2 || slices.Min(all) < 29*time.Second || slices.Max(all) > 38*time.Second {
		t.Errorf("waited %v", all)
	}
}

func TestDoWaitsUntilADate(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := new(pauses)
	do(t, client(fetch.Options{Sleep: p.sleep}), http.MethodGet, s.URL, nil)
	if all := p.all(); len(all) != 1 || all[0] < 20*time.Second || all[0] > 38*time.Second {
		t.Errorf("waited %v", all)
	}
}

func TestDoTriesBrokenConnectionsAgain(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n < 3 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "answer")
	})
	if _, body := do(t, client(fetch.Options{}), http.MethodPost, s.URL, strings.NewReader("x")); body != "answer" {
		t.Errorf("got %q", body)
	}
}

func TestDoSendsABodyOnceThatItCannotMakeAgain(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	code, _ := do(t, client(fetch.Options{}), http.MethodPost, s.URL, io.MultiReader(strings.NewReader("x")))
	if code != http.StatusServiceUnavailable || len(s.requests()) != 1 {
		t.Errorf("got %d after %d requests", code, len(s.requests()))
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := client(fetch.Options{}).Get(t.Context(), "http://user:geheim@"+s.Listener.Addr().String()+"/x?sig=geheim")
	unreachable, ok := errors.AsType[*fetch.UnreachableError](err)
	if !ok || unreachable.Attempts != 4 || unreachable.Host != s.Listener.Addr().String() {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v contains a password", err)
	}
}

func TestStalledBodyFails(t *testing.T) {
	over := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-over
	})
	t.Cleanup(func() { close(over) }) // before the server's Close, which waits for the handlers
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
	resp, err := client(fetch.Options{Stall: 50 * time.Millisecond}).Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil || string(data) != "half" || !strings.Contains(err.Error(), "stalled") {
		t.Errorf("got %q and %v", data, err)
	}
}

func TestSilentServerFails(t *testing.T) {
	over := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-over })
	t.Cleanup(func() { close(over) })
	_, err := client(fetch.Options{Stall: 20 * time.Millisecond, Attempts: 2}).Get(t.Context(), s.URL)
	if _, ok := errors.AsType[*fetch.UnreachableError](err); !ok || !strings.Contains(err.Error(), "stalled") {
		t.Errorf("got %v", err)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := client(fetch.Options{}).Get(ctx, s.URL)
	if !errors.Is(err, context.Canceled) || fetch.Explain(err).Error() != err.Error() {
		t.Errorf("got %v", err)
	}
}

func TestHeaders(t *testing.T) {
	logins := func(u *url.URL) (user, password string, ok bool) { return "ada", "geheim", u.Hostname() == "127.0.0.1" }
	tests := []struct {
		name, userinfo, authorization, agent string
		wantUser, wantAgent                  string
	}{
		{"login by host", "", "", "", "ada", "lamina"},
		{"login in the address", "eve:x@", "", "", "eve", "lamina"},
		{"from the caller", "", "Basic Ym9iOng=", "curl/1", "bob", "curl/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(http.ResponseWriter, *http.Request) {})
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(s.URL, "://", "://"+tt.userinfo, 1), http.NoBody)
			for k, v := range map[string]string{"Authorization": tt.authorization, "User-Agent": tt.agent} {
				if v != "" {
					req.Header.Set(k, v)
				}
			}
			resp, err := client(fetch.Options{Logins: logins}).Do(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			user, _, _ := s.requests()[0].BasicAuth()
			if agent := s.requests()[0].UserAgent(); user != tt.wantUser || agent != tt.wantAgent {
				t.Errorf("got user %q, agent %q", user, agent)
			}
		})
	}
}

func TestReadHasALimit(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), 100)) })
	if data, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 100); err != nil || len(data) != 100 {
		t.Errorf("got %d bytes and %v", len(data), err)
	}
	_, _, err := client(fetch.Options{}).Read(t.Context(), s.URL, 99)
	if _, ok := errors.AsType[*fetch.SizeError](err); !ok {
		t.Errorf("got %v", err)
	}
}
