package fetch_test

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"lamina.build/internal/fetch"
)

// Messages tell the user who did what, and with which address.
func TestMessages(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"a:8443 answers 404 to https://a:8443/x":                               &fetch.StatusError{URL: "https://a:8443/x", Host: "a:8443", Code: 404},
		"fetching https://a/x: unexpected EOF":                                 &fetch.UnreachableError{URL: "https://a/x", Attempts: 1, Err: io.ErrUnexpectedEOF},
		"fetching https://a/x: gave up after 4 attempts: unexpected EOF":       &fetch.UnreachableError{URL: "https://a/x", Attempts: 4, Err: io.ErrUnexpectedEOF},
		"gave up after 2 attempts: unexpected EOF":                             &fetch.UnreachableError{Attempts: 2, Err: io.ErrUnexpectedEOF},
		"proxy p:3128 answers 403":                                             &fetch.ProxyError{Host: "p:3128", Code: 403},
		"https://a/x redirects to ftp://b/y: not a web address":                &fetch.RedirectError{From: "https://a/x", To: "ftp://b/y", Reason: "not a web address"},
		"https://a/x changed while it was read":                                &fetch.ChangedError{URL: "https://a/x"},
		"https://a/x has more than 100 bytes":                                  &fetch.SizeError{URL: "https://a/x", Limit: 100},
		"https://a/x: its sha256 is cd and not ab":                             &fetch.MismatchError{URL: "https://a/x", What: "sha256", Want: "ab", Got: "cd"},
		"contacting a: not there":                                              &fetch.GuardError{Host: "a", Err: errors.New("not there")},
		"connecting to a at 169.254.169.254: a link-local or metadata address": &fetch.GuardError{Host: "a", Address: netip.MustParseAddr("169.254.169.254"), Err: errors.New("a link-local or metadata address")},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

// A refusal records what the request had, so that callers need not look.
func TestRefusal(t *testing.T) {
	t.Parallel()
	c := client(fetch.Options{Logins: func(u *url.URL) (user, password string, ok bool) {
		return "ada", "geheim", u.Hostname() == "known.example"
	}})
	for _, tt := range []struct {
		name, address, authorization string
		anonymous                    bool
		loggedIn, withheld           bool
	}{
		{"no login", "https://other.example/x", "", false, false, false},
		{"no login, and anonymous", "https://other.example/x", "", true, false, false},
		{"a login was sent", "https://known.example:8443/x", "Basic eA==", false, true, false},
		{"a known login is withheld", "https://known.example:8443/x", "", true, false, true},
	} {
		ctx := t.Context()
		if tt.anonymous {
			ctx = fetch.Anonymous(ctx)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, tt.address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if tt.authorization != "" {
			req.Header.Set("Authorization", tt.authorization)
		}
		got := c.Refusal(&http.Response{Request: req, StatusCode: http.StatusForbidden, Header: http.Header{"Retry-After": {"7"}}})
		want := fetch.StatusError{
			URL: tt.address, Host: req.URL.Host, Code: 403, After: 7 * time.Second, LoggedIn: tt.loggedIn, Withheld: tt.withheld,
		}
		if *got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, *got, want)
		}
	}
}

// Only statuses that may change are retried.
func TestIsPassing(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{
		200: false, 301: false, 400: false, 401: false, 403: false, 404: false, 408: true, 409: false, 416: false, 425: true,
		429: true, 499: false, 500: true, 501: false, 502: true, 503: true, 504: true, 505: false, 522: true,
	} {
		if got := fetch.IsPassing(code); got != want {
			t.Errorf("%d: got %t", code, got)
		}
	}
}

func TestIsFinal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{io.ErrUnexpectedEOF, false},
		{&fetch.UnreachableError{Err: io.EOF}, false},
		{&fetch.ProxyError{Code: 503}, false},
		{&fetch.ProxyError{Code: 407}, true},
		{&fetch.GuardError{Err: io.EOF}, true},
		{&fetch.ChangedError{}, true},
		{&fetch.StatusError{Code: 503}, true}, // its attempts are exhausted
		{&fetch.RedirectError{}, true},
	} {
		if got := fetch.IsFinal(errors.Join(errors.New("first"), tt.err)); got != tt.want {
			t.Errorf("%v: got %t", tt.err, got)
		}
	}
}
