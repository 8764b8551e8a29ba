package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moby/buildkit/session/auth"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

func serverOf(t *testing.T, o registry.Options, references ...string) auth.AuthServer {
	t.Helper()
	s, ok := registry.Session(o, references).(auth.AuthServer)
	if !ok {
		t.Fatal("the session has no auth server")
	}
	return s
}

// An engine gets tokens for its pushes, with the login for that part of the registry, and
// a password only if the registry issues no tokens.
func TestSessionLogsIn(t *testing.T) {
	t.Parallel()
	for _, o := range []testworld.RegistryOptions{
		{User: "ann", Password: "secret", Tokens: true}, {User: "ann", Password: "secret", Tokens: true, Identity: "identity"},
	} {
		r := testworld.NewRegistry(t, o)
		opts := hasty()
		opts.Keychain = fileOf(t, auths(r.Host+"/acme", "ann:secret", r.Host+"/other", "eve:guess"))
		if o.Identity != "" {
			opts.Keychain = fileOf(t, `{"auths": {"`+r.Host+`/acme": {"identitytoken": "identity"}}}`)
		}
		s := serverOf(t, opts, r.Host+"/acme/app:1")
		token, err := s.FetchToken(t.Context(), &auth.FetchTokenRequest{
			Host: r.Host, Realm: r.URL + "/token", Service: "testworld", Scopes: []string{"repository:other/x:pull", "repository:acme/app:pull,push"},
		})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/v2/acme/app/blobs/uploads/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted || token.ExpiresIn != 60 {
			t.Errorf("%+v: the token gets %d, for %d s", o, resp.StatusCode, token.ExpiresIn)
		}
		c, err := s.Credentials(t.Context(), &auth.CredentialsRequest{Host: r.Host})
		if want := map[string]string{"": "ann:secret", "identity": ":identity"}[o.Identity]; err != nil || c.Username+":"+c.Secret != want {
			t.Errorf("got %v, %v", c, err)
		}
		if c, err = serverOf(t, opts, "another.test/acme").Credentials(t.Context(), &auth.CredentialsRequest{Host: r.Host}); err != nil || c.Secret != "" {
			t.Errorf("for no image there: got %v, %v", c, err)
		}
	}
}

// A token service that redirects elsewhere gets no login there, from our client or an engine.
func TestLoginsStayAtTheTokenService(t *testing.T) {
	t.Parallel()
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Header.Get("Authorization")+string(body))
		_, _ = io.WriteString(rw, `{"token": "stolen"}`)
	}))
	t.Cleanup(elsewhere.Close)
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		for login, text := range map[string]string{"password": `"auth": "YW5uOnNlY3JldA=="`, "identity": `"identitytoken": "secret"`} {
			seen = nil
			var service *httptest.Server
			service = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					http.Redirect(rw, r, strings.Replace(elsewhere.URL, "127.0.0.1", "elsewhere.test", 1), code)
					return
				}
				rw.Header().Set("WWW-Authenticate", `Bearer realm="`+service.URL+`/token",service="x"`)
				rw.WriteHeader(http.StatusUnauthorized)
			}))
			t.Cleanup(service.Close)
			host := service.Listener.Addr().String()
			opts := hasty()
			opts.Insecure = true // else a redirect to HTTP is refused for being plain
			opts.Keychain = fileOf(t, `{"auths": {"`+host+`": {`+text+`}}}`)
			_, port, _ := strings.Cut(elsewhere.Listener.Addr().String(), ":")
			opts.HTTP.Transport = dialing(map[string]string{host: host, "elsewhere.test:" + port: elsewhere.Listener.Addr().String()})
			_, _ = registry.Open(t.Context(), host+"/acme/model", opts)
			_, err := serverOf(t, opts).FetchToken(t.Context(), &auth.FetchTokenRequest{Host: host, Realm: service.URL + "/token", Service: "x"})
			if strings.Join(seen, "") != "" {
				t.Errorf("%s, %d: the other host got %q", login, code, seen)
			}
			if login == "identity" && code == http.StatusTemporaryRedirect {
				checkKind(t, err, failure.Usage, "")
				checkSays(t, err, "redirects a login to elsewhere.test")
			}
		}
	}
}
