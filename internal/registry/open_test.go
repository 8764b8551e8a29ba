package registry_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

func TestOpenTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	locked := testworld.RegistryOptions{User: "ann", Password: "secret"}
	tokens := testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true}
	for _, tt := range []struct {
		name      string
		opts      testworld.RegistryOptions
		corrupt   func(*testworld.Registry)
		reference string // below the registry
		login     keychain
		kind      failure.Kind
		hint      string
	}{
		{"no such login", tokens, nil, "/a", keychain{"eve", "guess"}, failure.Usage, "docker login 127.0.0.1:"},
		{"gone", testworld.RegistryOptions{}, (*testworld.Registry).Stop, "/a", keychain{}, failure.Transient, "check the network"},
		{"busy", testworld.RegistryOptions{}, func(r *testworld.Registry) { r.Fail("/v2", testworld.Status(503, testworld.Always)) }, "/a", keychain{}, failure.Transient, "run it again"},
		{"no registry", testworld.RegistryOptions{}, func(r *testworld.Registry) { r.Fail("/v2", testworld.Status(404, testworld.Always)) }, "/a", keychain{}, failure.Failure, "check the name"},
		{"no name", locked, nil, "/A B", keychain{}, failure.Usage, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, tt.opts)
			if tt.corrupt != nil {
				tt.corrupt(r)
			}
			opts := hasty()
			opts.Keychain = tt.login
			_, err := registry.Open(t.Context(), r.Host+tt.reference, opts)
			checkKind(t, err, tt.kind, tt.hint)
		})
	}
}

func TestBusyRegistriesAreAskedAgain(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	r.Fail("/v2", testworld.Status(http.StatusServiceUnavailable, 2))
	if _, err := registry.Open(t.Context(), r.Host+"/acme/model:tag", hasty()); err != nil {
		t.Error(err)
	}
}

// TestLogins uses each kind of login, right and wrong. A wrong basic login fails only at
// the first request.
func TestLogins(t *testing.T) {
	t.Parallel()
	for _, tokens := range []bool{false, true} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: tokens})
		opts := hasty()
		for _, login := range []keychain{{"eve", "guess"}, {}} {
			opts.Keychain = login
			repo, err := registry.Open(t.Context(), r.Host+"/acme/model", opts)
			if err == nil {
				_, err = repo.Start(t.Context())
			}
			checkKind(t, err, failure.Usage, "docker login "+r.Host)
		}
		opts.Keychain = keychain{"ann", "secret"}
		u, err := open(t, r, opts).Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		data, d := weights(1000)
		if err := send(t, u, data, 300); err != nil {
			t.Fatal(err)
		}
		if err := u.Commit(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTokensMayExpire lets them expire before each way to send: layers take longer
// than tokens live.
func TestTokensMayExpire(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true})
	opts := hasty()
	opts.Keychain = keychain{"ann", "secret"}
	repo := open(t, r, opts)
	data, d := weights(3 << 20)
	start := func() *registry.Upload {
		u, err := repo.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.ExpireTokens()
		return u
	}
	u := start()
	if err := send(t, u, data, 1<<20); err != nil {
		t.Errorf("chunks: %v", err)
	}
	r.ExpireTokens()
	if err := u.Commit(t.Context(), d); err != nil {
		t.Errorf("commit: %v", err)
	}
	if err := start().Stream(t.Context(), int64(len(data)), bytes.NewReader(data)); err != nil {
		t.Errorf("stream: %v", err)
	}
}

// dialing returns a transport that connects to hosts at the given addresses.
func dialing(hosts map[string]string) *http.Transport {
	t := registry.NewTransport(nil)
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		to, ok := hosts[address]
		if !ok {
			return nil, &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	return t
}

func TestPlainHTTPIsToBeAllowed(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	opts := hasty()
	opts.HTTP.Transport = dialing(map[string]string{"10.1.2.3:5000": r.Host, "vm.test:5501": r.Host})
	_, err := registry.Open(t.Context(), "10.1.2.3:5000/a", opts)
	checkKind(t, err, failure.Usage, "--insecure-registry")
	if n := r.Calls("/v2/**"); n != 0 {
		t.Errorf("it got %d requests anyway", n)
	}
	_, err = registry.Open(t.Context(), "vm.test:5501/a", opts)
	checkKind(t, err, failure.Usage, "--insecure-registry")
	opts.Insecure = true
	for _, name := range []string{"10.1.2.3:5000/a", "vm.test:5501/a"} {
		if _, err = registry.Open(t.Context(), name, opts); err != nil {
			t.Error(err)
		}
	}
	_, err = registry.Open(t.Context(), "registry.test/a", opts)
	checkKind(t, err, failure.Transient, "check the name")
}

// TestUploadsElsewhere redirects uploads to another host: no login may be sent there,
// and nothing at all into a private network.
func TestUploadsElsewhere(t *testing.T) {
	t.Parallel()
	var seen []string
	storage := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.Host+r.Header.Get("Authorization"))
		rw.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(storage.Close)
	at := storage.Listener.Addr().String()
	for elsewhere, want := range map[string]string{
		"http://storage.test":      "PATCH storage.test",
		"http://169.254.169.254":   "",
		"http://10.0.0.1":          "",
		"http://localhost:7":       "",
		"ftp://storage.test":       "",
		"http://[::1]:7":           "",
		"http://storage.test:port": "",
	} {
		for _, tokens := range []bool{false, true} {
			seen = nil
			r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Elsewhere: elsewhere, Tokens: tokens})
			opts := hasty()
			opts.Keychain, opts.Insecure = keychain{"ann", "secret"}, true
			opts.HTTP.Transport = dialing(map[string]string{
				r.Host: r.Host, "storage.test:80": at, "169.254.169.254:80": at, "10.0.0.1:80": at, "localhost:7": at, "[::1]:7": at,
			})
			u, err := open(t, r, opts).Start(t.Context())
			if err == nil {
				err = u.Send(t.Context(), []byte("secret weights"))
			}
			if got := strings.Join(seen, ","); got != want || (err == nil) != (want != "") {
				t.Errorf("%s: got %q and %v, want %q", elsewhere, got, err, want)
			}
		}
	}
}

// redirecting redirects requests for a blob on a host.
type redirecting struct {
	http.RoundTripper

	host string
}

func (t redirecting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodHead || r.URL.Host != t.host {
		return t.RoundTripper.RoundTrip(r)
	}
	header := http.Header{"Location": {"http://storage.test/blob"}}
	return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: header, Body: http.NoBody, Request: r}, nil
}

// TestRedirectsLeaveTheLoginBehind uses a registry that keeps its blobs elsewhere.
func TestRedirectsLeaveTheLoginBehind(t *testing.T) {
	t.Parallel()
	for _, tokens := range []bool{false, true} {
		var seen []string
		storage := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Method+" "+r.Host+r.URL.Path+r.Header.Get("Authorization"))
		}))
		t.Cleanup(storage.Close)
		r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: tokens})
		opts := hasty()
		opts.Keychain, opts.Insecure = keychain{"ann", "secret"}, true
		opts.HTTP.Transport = redirecting{dialing(map[string]string{r.Host: r.Host, "storage.test:80": storage.Listener.Addr().String()}), r.Host}
		_, d := weights(10)
		if has, err := open(t, r, opts).Has(t.Context(), d); !has || err != nil {
			t.Errorf("got %v, %v", has, err)
		}
		if got := strings.Join(seen, ","); got != "HEAD storage.test/blob" {
			t.Errorf("got %q", got)
		}
	}
}

func TestCanceledOpen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	if _, err := registry.Open(ctx, r.Host+"/a", hasty()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
