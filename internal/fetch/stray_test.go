package fetch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lamina.build/internal/fetch"
)

// An engine takes a login along wherever net/http takes a header along, so the result is
// compared with net/http itself.
func TestStrays(t *testing.T) {
	t.Parallel()
	var seen string
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen += r.Header.Get("Authorization") })
	last := serve(t, handler)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, last.URL, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	client := secure.Client()
	elsewhere := strings.Replace(last.URL, "127.0.0.1", "localhost", 1)
	back := serve(t, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, last.URL, http.StatusFound) })
	var to string
	from := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			return
		}
		http.Redirect(rw, r, to, http.StatusFound)
	})
	for _, tt := range []struct{ name, address, to, want string }{
		{"nowhere", from.URL + "/here", "", ""},
		{"its own", from.URL, from.URL + "/here", ""},
		{"another port", from.URL, last.URL, "redirects to " + last.URL},
		{"another host", from.URL, elsewhere, ""},
		{"another host, and back", from.URL, strings.Replace(back.URL, "127.0.0.1", "localhost", 1), ""},
		{"from https to http", secure.URL, "", "from https to http"},
	} {
		to, seen = tt.to, ""
		err := fetch.New(fetch.Options{Transport: client.Transport, Attempts: 1}).Strays(t.Context(), tt.address)
		if text := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		seen = ""
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "secret")
		if resp, err := client.Do(req); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else {
			_ = resp.Body.Close()
		}
		if (seen != "") != (tt.want != "") {
			t.Errorf("%s: net/http sends %q", tt.name, seen)
		}
	}
	last.Close()
	if err := fetch.New(fetch.Options{Attempts: 1}).Strays(t.Context(), last.URL); err != nil {
		t.Errorf("no server: %v", err)
	}
}
