package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

func TestTheTokenGoesToTheHubAlone(t *testing.T) {
	t.Parallel()
	large := testworld.Generated(1, 1<<20)
	h, c, files := setup(t, testworld.HubOptions{Token: token}, map[string]testworld.HubFile{
		"large": testworld.Large(large), "small": testworld.Small("text"),
	})
	for range 2 { // by way of the hub, then directly
		if got, err := readOnce(t, c, files["large"], 10, 100); err != nil || got != part(t, large, 10, 100) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	}
	if got, err := read(t, c, files["small"], 0, 4); err != nil || got != "text" {
		t.Errorf("got %q, %v", got, err)
	}
	if n := h.Credentials("/**"); n != 3 || h.Requests("/**") != 3 {
		t.Errorf("%d of %d requests to the hub had the token, want 3 of 3", n, h.Requests("/**"))
	}
	if n := h.CDN.Credentials("/**"); n != 0 || h.CDN.Requests("/**") != 2 {
		t.Errorf("%d of %d requests to the other host had the token, want 0 of 2", n, h.CDN.Requests("/**"))
	}
}

func TestAnotherPortIsAnotherHost(t *testing.T) {
	t.Parallel()
	other := testworld.New(t) // also on 127.0.0.1, so net/http would send it the header
	other.Put("file", []byte("text"))
	c := client(t, hub.Options{Endpoint: testworld.New(t).URL, Token: token})
	if got, err := readOnce(t, c, hub.File{ModelFile: lock.ModelFile{URL: other.URL + "/file", Size: 4}}, 0, 4); err != nil || got != "text" {
		t.Errorf("got %q, %v", got, err)
	}
	if n := other.Credentials("/**"); n != 0 {
		t.Errorf("the token was sent %d times", n)
	}
}

func TestTheTokenIsNeverPrinted(t *testing.T) {
	t.Parallel()
	o := hub.Options{Token: token, Endpoint: "http://127.0.0.1:1"}
	c := client(t, o)
	text, err := json.Marshal(map[string]any{"token": o.Token})
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s %s", o.Token, o.Token, o.Token, o.Token, c, c, c, c, text)
	_, err = c.Revision(t.Context(), repository, "main")
	said += fmt.Sprintf("%v %#v %v", err, err, failure.Hints(err))
	if strings.Contains(said, "geheim") {
		t.Errorf("the token is in %s", said)
	}
}

// TestAHubThatSaysTheToken has a hub that repeats its input in the message.
func TestAHubThatSaysTheToken(t *testing.T) {
	t.Parallel()
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		header := http.Header{"X-Error-Message": {"\x1b[31mno access for " + r.Header.Get("Authorization") + strings.Repeat("!", 500)}}
		return &http.Response{StatusCode: http.StatusForbidden, Header: header, Body: http.NoBody, Request: r}, nil
	})
	c := client(t, hub.Options{Token: " " + token + "\n", HTTP: fetch.Options{Transport: transport}})
	_, err := c.Revision(t.Context(), repository, "main")
	if err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), "no access for Bearer ***") {
		t.Errorf("got %v", err)
	}
	if len(err.Error()) > 500 {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhatNoClientIsMadeOf(t *testing.T) {
	t.Parallel()
	for _, o := range []hub.Options{
		{Endpoint: "huggingface.co"},
		{Endpoint: "ftp://huggingface.co"},
		{Endpoint: "https://"},
		{Endpoint: "https://me:geheim@huggingface.co"},
		{Endpoint: "https://huggingface.co?token=geheim"},
		{Endpoint: "https://[::1/geheim"},
		{Token: "hf_geheim\nX-Evil: 1"},
		{Token: "hf geheim"},
		{Token: "hf_gehéim"},
	} {
		c, err := hub.New(o)
		if c != nil || failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1 {
			t.Errorf("%+v: got %v", o, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("a secret is in %q", err)
		}
	}
}

// TestNoAddressIsPrintedWithItsSignature has an unreachable host behind a signed
// address.
func TestNoAddressIsPrintedWithItsSignature(t *testing.T) {
	t.Parallel()
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
	h.CDN.Stop()
	_, err := read(t, c, files["f"], 0, 4)
	var unreachable *fetch.UnreachableError
	if !errors.As(err, &unreachable) || failure.KindOf(err) != failure.Transient {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "Signature") || !strings.Contains(err.Error(), "127.0.0.2") {
		t.Errorf("got %q", err)
	}
}
