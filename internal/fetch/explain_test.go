package fetch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func TestExplain(t *testing.T) {
	status := func(code int) error {
		return &fetch.StatusError{URL: "https://a/x", Host: "a", Code: code}
	}
	unreachable := func(err error) error {
		return &fetch.UnreachableError{URL: "https://a/x", Host: "a", Attempts: 4, Err: err}
	}
	tests := []struct {
		err  error
		kind failure.Kind
		hint string
	}{
		{status(401), failure.Usage, "put a login for a into ~/.netrc"},
		{status(403), failure.Usage, "~/.netrc"},
		{status(404), failure.Usage, "address"},
		{status(410), failure.Usage, "address"},
		{status(407), failure.Failure, "HTTPS_PROXY"},
		{status(429), failure.Transient, "later"},
		{status(500), failure.Transient, "later"},
		{status(418), failure.Failure, ""},
		{unreachable(io.ErrUnexpectedEOF), failure.Transient, "network"},
		{unreachable(&fetch.ProxyError{Host: "p", Code: 502}), failure.Transient, "HTTPS_PROXY"},
		{&fetch.ProxyError{Host: "p", Code: 403}, failure.Failure, "HTTPS_PROXY"},
		{io.EOF, failure.Failure, ""},
	}
	for _, tt := range tests {
		err := fetch.Explain(tt.err)
		hints := strings.Join(failure.Hints(err), "\n")
		if failure.KindOf(err) != tt.kind || !strings.Contains(hints, tt.hint) || (tt.hint == "" && hints != "") {
			t.Errorf("%v: got kind %d, hints %q", tt.err, failure.KindOf(err), hints)
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%v is hidden", tt.err)
		}
	}
	if fetch.Explain(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestExplainUntrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := client(fetch.Options{}).Get(t.Context(), s.URL)
	if hints := failure.Hints(fetch.Explain(err)); len(hints) != 1 || !strings.Contains(hints[0], "SSL_CERT_FILE") {
		t.Errorf("got %v with %q", err, hints)
	}
	// The same for a trusted certificate and a wrong clock.
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	for _, now := range []time.Time{s.Certificate().NotBefore.Add(-time.Hour), s.Certificate().NotAfter.Add(time.Hour)} {
		transport := fetch.NewTransport()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, Time: func() time.Time { return now }}
		_, err = client(fetch.Options{Transport: transport}).Get(t.Context(), s.URL)
		if hints := failure.Hints(fetch.Explain(err)); len(hints) != 1 || !strings.Contains(hints[0], "clock") {
			t.Errorf("at %s got %v with %q", now, err, hints)
		}
	}
}

func TestProxyThatRefuses(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	proxy, _ := url.Parse(s.URL)
	transport := fetch.NewTransport()
	transport.Proxy = http.ProxyURL(proxy)
	p := new(pauses)
	_, err := client(fetch.Options{Transport: transport, Sleep: p.sleep}).Get(t.Context(), "https://x.example/")
	if refused, ok := errors.AsType[*fetch.ProxyError](err); !ok || refused.Code != 407 || len(p.all()) != 0 {
		t.Errorf("got %v", err)
	}
	s.Close()
	_, err = client(fetch.Options{Transport: transport}).Get(t.Context(), "https://x.example/")
	if hints := failure.Hints(fetch.Explain(err)); failure.KindOf(fetch.Explain(err)) != failure.Transient || !strings.Contains(hints[0], "HTTPS_PROXY") {
		t.Errorf("got %v with %q", err, hints)
	}
}

func TestGuard(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	refuse := func(a netip.Addr) error {
		if a.IsLoopback() {
			return errors.New("not here")
		}
		return nil
	}
	p := new(pauses)
	c := client(fetch.Options{Sleep: p.sleep})
	_, err := c.Get(fetch.Guard(t.Context(), "127.0.0.1", refuse), s.URL)
	if guarded, ok := errors.AsType[*fetch.GuardError](err); !ok || guarded.Host != "127.0.0.1" || len(p.all()) != 0 {
		t.Errorf("got %v", err)
	}
	if _, _, err := c.Read(fetch.Guard(t.Context(), "other.example", refuse), s.URL, 1); err != nil {
		t.Errorf("a host without a guard: %v", err)
	}
	if _, err := c.Apart().Get(fetch.Guard(t.Context(), "127.0.0.1", refuse), s.URL); err == nil {
		t.Error("the client reuses a connection of another one")
	}
}

func TestHops(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/end" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	})
	var hops []string
	ctx := fetch.Hops(t.Context(), func(ctx context.Context, from, to *url.URL) (context.Context, error) {
		if hops = append(hops, to.Path); from != nil && from.Path == "/refused" {
			return nil, errors.New("not there")
		}
		return ctx, nil
	})
	c := client(fetch.Options{})
	if _, _, err := c.Read(ctx, s.URL+"/x", 1); err != nil {
		t.Error(err)
	}
	_, err := c.Get(ctx, s.URL+"/refused")
	if _, ok := errors.AsType[*fetch.GuardError](err); !ok || failure.KindOf(fetch.Explain(err)) != failure.Usage || strings.Join(hops, " ") != "/x /end /refused /end" {
		t.Errorf("got %v by %q", err, hops)
	}
}

func TestForbidden(t *testing.T) {
	for address, want := range map[string]bool{"169.254.169.254": true, "fe80::1%eth0": true, "::ffff:169.254.1.1": true, "100.100.100.200": true, "10.0.0.1": false, "127.0.0.1": false} {
		if got := fetch.IsForbidden(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %t", address, got)
		}
	}
}

func TestLoginThatIsWrongOrKept(t *testing.T) {
	for _, tt := range []struct {
		err  fetch.StatusError
		why  string
		hint string
	}{
		{fetch.StatusError{Code: 401}, "none was sent", "put a login for a into ~/.netrc"},
		{fetch.StatusError{Code: 403, LoggedIn: true}, "rejects the login", "check the login for a"},
		{fetch.StatusError{Code: 401, Withheld: true}, "Lamina sends none to this address", "a requirement or a constraint"},
	} {
		tt.err.Host = "a:8443"
		err := fetch.Explain(&tt.err)
		if hints := failure.Hints(err); !strings.Contains(err.Error(), tt.why) || len(hints) != 1 || !strings.Contains(hints[0], tt.hint) || failure.KindOf(err) != failure.Usage {
			t.Errorf("%v: hints %q", err, hints)
		}
	}
}

func TestRedact(t *testing.T) {
	tests := map[string]string{
		"https://a/x?y=z#f":       "https://a/x?…",
		"https://u:p@a:8443/x":    "https://a:8443/x",
		"https://token@a/":        "https://a/",
		"https://a/x%2By#sha=abc": "https://a/x%2By",
		"http://[::1":             "an unreadable URL",
	}
	for address, want := range tests {
		if got := fetch.Redact(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
