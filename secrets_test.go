package lamina

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/buildkit/session/secrets"

	"lamina.build/internal/hub"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// An engine gets a login only if no redirect would carry it to another host.
func TestLoginsThatAnEngineWouldTakeAlong(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	var asked atomic.Int64
	var to string
	index := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if to != "" && strings.HasSuffix(r.URL.Path, ".whl") {
			http.Redirect(rw, r, to, http.StatusFound)
		}
	}))
	t.Cleanup(index.Close)
	for place, stays := range map[string]bool{
		"": true, "/files/a": true, strings.Replace(other.URL, "127.0.0.1", "localhost", 1): true, other.URL: false,
	} {
		to = place
		asked.Store(0)
		var said told
		h := &host{o: Options{Progress: &said, Env: func(string) string { return "hf_token" }}}
		s := &pythonSecrets{
			Logins:    uv.Logins{"127.0.0.1": {User: "me", Password: "secret"}, "127.0.0.1/p": {User: "me"}, "127.0.0.1/q": {User: "it"}},
			addresses: []string{"https://unused.test/x", index.URL + "/p/none", index.URL + "/a.whl", index.URL + "/q/a.whl"},
			note:      h.note, strays: map[string]error{},
		}
		for _, id := range []string{"HTTP_AUTH_HEADER_127.0.0.1", "HTTP_AUTH_HEADER_127.0.0.1", "HTTP_AUTH_HEADER_127.0.0.1/q"} {
			got, err := s.GetSecret(t.Context(), id)
			if (err == nil) != stays || (len(got) > 0) != stays {
				t.Errorf("%s: got %q, %v", place, got, err)
			}
		}
		if n := asked.Load(); n > 4 {
			t.Errorf("%s: the index got %d requests", place, n)
		}
		if text := strings.Join(said, "\n"); strings.Contains(text, "not sending the login for 127.0.0.1 to the engine") == stays || strings.Contains(text, "secret") {
			t.Errorf("%s: notes %q", place, text)
		}
		if _, err := s.GetSecret(t.Context(), "HTTP_AUTH_HEADER_unused.test"); !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("a host without a login: %v", err)
		}
		c, err := hub.New(hub.Options{Endpoint: index.URL, Token: "hf_token"})
		if err != nil {
			t.Fatal(err)
		}
		m := lock.Model{ModelRequest: lock.ModelRequest{From: "hf://org/one@main"}, Files: []lock.ModelFile{{URL: index.URL + "/small", Size: 1}, {URL: index.URL + "/large.whl", Size: 9}}}
		err = h.strays(t.Context(), c, m)
		if (err == nil) != stays || !stays && (KindOf(err) != Usage || !strings.Contains(strings.Join(Hints(err), ""), "build model pull")) {
			t.Errorf("%s: a model: %v, %q", place, err, Hints(err))
		}
	}
}
