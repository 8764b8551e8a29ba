package hub_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
)

func TestReaderGoesOn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault testworld.Fault
		want  int // requests to the other host
	}{
		{"nothing", testworld.Fault{}, 1},
		{"cut", testworld.Cut(3), 4},
		{"stalled", testworld.Stall(2), 3},
		{"500", testworld.Status(500, 5), 6},
		{"408", testworld.Status(408, 1), 2},
		{"429", testworld.Status(429, 2), 3},
		{"429 and when", testworld.Later(429, "7", 2), 3},
		{"403", testworld.Status(403, 2), 3},
		{"404", testworld.Status(404, 1), 2},
		{"slow", testworld.Slow(time.Millisecond, 1), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := testworld.Generated(3, 3<<20)
			h, c, files := setup(t, testworld.HubOptions{Token: token}, map[string]testworld.HubFile{"f": testworld.Large(content)})
			if tt.name == "stalled" {
				c = client(t, hub.Options{Endpoint: h.Endpoint, HTTP: fetch.Options{Stall: 300 * time.Millisecond}})
			}
			h.CDN.Fail("/**", tt.fault)
			for _, at := range [][2]int64{{0, 3 << 20}, {1 << 20, 1<<20 + 5}, {3<<20 - 1, 1}} {
				got, err := read(t, c, files["f"], at[0], at[1])
				if err != nil || got != part(t, content, at[0], at[1]) {
					t.Errorf("%v: got %d bytes, %v", at, len(got), err)
				}
			}
			// On a slow machine more than what is made to stall does.
			if n := h.CDN.Requests("/**"); n != tt.want+2 && (tt.name != "stalled" || n < tt.want+2) {
				t.Errorf("%d requests, want %d", n, tt.want+2)
			}
			if n := h.CDN.Sent("/**"); n > 9<<20/2 {
				t.Errorf("%d bytes were sent: it started over", n)
			}
		})
	}
}

// TestReaderOutlivesManyCuts has more cuts than attempts, each after progress.
func TestReaderOutlivesManyCuts(t *testing.T) {
	t.Parallel()
	content := testworld.Generated(4, 1<<20)
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(content)})
	h.CDN.Fail("/**", testworld.Cut(12))
	if got, err := read(t, c, files["f"], 0, 1<<20); err != nil || got != part(t, content, 0, 1<<20) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestReaderGivesUp(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]testworld.Fault{
		"500": testworld.Status(500, testworld.Always), "stalled": testworld.Stall(testworld.Always), "403": testworld.Status(403, testworld.Always),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("x"))})
			p := new(pauses)
			o := hub.Options{Endpoint: h.Endpoint, HTTP: fetch.Options{Attempts: 3, Wait: time.Second, Sleep: p.sleep}}
			if name == "stalled" {
				o.HTTP.Stall = 300 * time.Millisecond
			}
			h.CDN.Fail("/**", f)
			_, err := read(t, client(t, o), files["f"], 0, 1)
			var unreachable *fetch.UnreachableError
			if !errors.As(err, &unreachable) || unreachable.Attempts != 3 || failure.KindOf(err) != failure.Transient {
				t.Errorf("got %v", err)
			}
			if got := p.all(); !alike(got, []time.Duration{time.Second, 2 * time.Second}) {
				t.Errorf("waited %v", got)
			}
			if n := h.CDN.Requests("/**"); n < 3 || n > 4 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// alike compares pauses, allowing for jitter.
func alike(got, want []time.Duration) bool {
	return slices.EqualFunc(got, want, func(a, b time.Duration) bool { return (a - b).Abs() <= b/4 })
}

func TestWaitsAsTheServerAsks(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	tests := []struct {
		name  string
		fault testworld.Fault
		want  []time.Duration
		notes int
	}{
		{"seconds", testworld.Later(429, "7", 2), []time.Duration{7 * time.Second, 7 * time.Second}, 2},
		{"limits", testworld.Limited("resolvers", minute, 1), []time.Duration{minute}, 1},
		{"nothing", testworld.Status(429, 3), []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, 0},
		{"trouble", testworld.Later(503, "2", 1), []time.Duration{2 * time.Second}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := testworld.New(t).Hub(testworld.HubOptions{})
			commit := h.Repo(repository, testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"f": testworld.Small("text")})
			p, notes := new(pauses), []string{}
			c := client(t, hub.Options{Endpoint: h.Endpoint, Note: func(s string) { notes = append(notes, s) }, HTTP: fetch.Options{Wait: time.Second, Sleep: p.sleep}})
			files, err := c.Tree(t.Context(), repository, commit)
			if err != nil {
				t.Fatal(err)
			}
			h.Fail("/**", tt.fault)
			if got, err := read(t, c, files[0], 0, 4); got != "text" {
				t.Errorf("got %q, %v", got, err)
			}
			if got := p.all(); !alike(got, tt.want) {
				t.Errorf("waited %v, want %v", got, tt.want)
			}
			if len(notes) != tt.notes || tt.notes > 0 && !strings.Contains(notes[0], "accepts no more requests for") {
				t.Errorf("noted %q", notes)
			}
		})
	}
}

func TestDoesNotWaitForHours(t *testing.T) {
	t.Parallel()
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Small("text")})
	h.Fail("/**", testworld.Limited("resolvers", 2*time.Hour, testworld.Always))
	_, err := read(t, c, files["f"], 0, 4)
	checkRefused(t, err, hub.Busy, failure.Transient, "accepts no more requests for 2h0m0s (429)", "set HF_TOKEN")
	if n := h.Requests("/**"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestAStaleAddressIsAskedForAgain(t *testing.T) {
	t.Parallel()
	content := testworld.Generated(5, 1<<20)
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(content)})
	for i := range 6 {
		if i%3 == 0 {
			h.Expire()
		}
		if got, err := readOnce(t, c, files["f"], int64(i), 10); err != nil || got != part(t, content, int64(i), 10) {
			t.Errorf("%d: got %q, %v", i, got, err)
		}
	}
	if hubs, others := h.Requests("/**"), h.CDN.Requests("/**"); hubs != 2 || others != 7 {
		t.Errorf("%d requests to the hub and %d to the other host, want 2 and 7", hubs, others)
	}
}

// TestAStallIsOfTheServer has a slow reader.
func TestAStallIsOfTheServer(t *testing.T) {
	t.Parallel()
	content := testworld.Generated(6, 8<<20)
	h, _, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(content)})
	c := client(t, hub.Options{Endpoint: h.Endpoint, HTTP: fetch.Options{Stall: time.Second}})
	body, err := c.Open(t.Context(), files["f"].ModelFile, 0, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.CopyN(io.Discard, body, 1<<20); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1300 * time.Millisecond) // longer than the stall
	if n, err := io.Copy(io.Discard, body); n != 7<<20 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if n := h.CDN.Requests("/**"); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
}

func TestACancelledReaderEndsAtOnce(t *testing.T) {
	t.Parallel()
	h, _, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
	h.CDN.Fail("/**", testworld.Stall(testworld.Always))
	c := client(t, hub.Options{Endpoint: h.Endpoint, HTTP: fetch.Options{Stall: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	body, err := c.Open(ctx, files["f"].ModelFile, 0, 4)
	if err == nil {
		_, err = io.ReadAll(body)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAWaitIsCancelled(t *testing.T) {
	t.Parallel()
	h, _, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
	h.CDN.Fail("/**", testworld.Later(429, "60", testworld.Always))
	c, err := hub.New(hub.Options{Endpoint: h.Endpoint}) // with a real clock
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Open(ctx, files["f"].ModelFile, 0, 4); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestACertificateNobodyKnowsIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	p := new(pauses)
	c := client(t, hub.Options{Endpoint: s.URL, HTTP: fetch.Options{Sleep: p.sleep}})
	_, err := c.Revision(t.Context(), repository, "main")
	if err == nil || len(p.all()) != 0 || !strings.Contains(strings.Join(failure.Hints(err), ""), "SSL_CERT_FILE") {
		t.Errorf("got %v after waiting for %v", err, p.all())
	}
}
