package uv_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/session/secrets"

	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
)

func TestMerge(t *testing.T) {
	netrc := uv.Logins{"a.example": {User: "me", Password: "old"}, "b.example": {User: "you", Password: "word"}}
	got := netrc.Merge(map[string]userinfo.Login{
		"A.example:8443": {User: "me", Password: "new"}, "c.example": {User: "it", Password: "x"}, "[::1]:80": {User: "six"}, "B.example": {User: "you"},
	})
	want := map[string][2]string{"a.example": {"me", "new"}, "b.example": {"you", "word"}, "c.example": {"it", "x"}, "::1": {"six", ""}}
	if diff := cmp.Diff(want, plain(got)); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
	if netrc["a.example"].Password != "old" {
		t.Error("the logins that were merged have changed")
	}
	if diff := cmp.Diff(plain(netrc), plain(uv.Logins(nil).Merge(netrc))); diff != "" {
		t.Errorf("merged into none (-want +got):\n%s", diff)
	}
}

func TestLoginsByPath(t *testing.T) {
	two := uv.Logins{"a.example/p": {User: "me", Password: "one"}, "a.example/p/q": {User: "me", Password: "two"}, "b.example/p": {User: "you"}, "b.example/q": {User: "you"}}
	got := two.OfHosts()
	want := map[string][2]string{"a.example/p": {"me", "one"}, "a.example/p/q": {"me", "two"}, "b.example": {"you", ""}}
	if diff := cmp.Diff(want, plain(got)); diff != "" {
		t.Errorf("of hosts (-want +got):\n%s", diff)
	}
	for address, want := range map[string]string{
		"https://A.example:81/p/q/x?y": "HTTP_AUTH_HEADER_a.example/p/q", "https://a.example/p/qq": "HTTP_AUTH_HEADER_a.example/p", "https://a.example/p/q/../x": "HTTP_AUTH_HEADER_a.example/p",
		"https://a.example/x": "", "https://b.example/p": "", "https://c.example/p": "", "": "",
	} {
		id := got.Secret(address)
		if id != want {
			t.Errorf("of %s the secret is %q, want %q", address, id, want)
		}
		if _, err := got.GetSecret(t.Context(), id); (err == nil) != (want != "") {
			t.Errorf("secret %q: %v", id, err)
		}
	}
	if some := got.Only([]string{"https://a.example/p/q/x", "https://b.example/x"}); len(some) != 2 || some["a.example/p/q"].Password != "two" || some["b.example"].User != "you" {
		t.Errorf("got %d logins", len(some))
	}
	// A user without a password doesn't replace the login that it gets anyway.
	netrc := uv.Logins{"a.example": {User: "me", Password: "one"}}
	if merged := netrc.Merge(map[string]userinfo.Login{"a.example/p": {User: "me"}, "a.example/q": {User: "it"}}); len(merged) != 2 || merged["a.example/q"].User != "it" {
		t.Errorf("merged are %d", len(merged))
	}
	// The login of a host replaces all of its paths.
	if merged := got.Merge(map[string]userinfo.Login{"A.example:81": {User: "it", Password: "three"}, "a.example:82/P": {User: "you"}}); len(merged) != 3 || merged["a.example"].Password != "three" || merged["a.example/P"].User != "you" {
		t.Errorf("merged are %d", len(merged))
	}
}

func TestSecretsAreThoseOfTheHostThatIsAskedFor(t *testing.T) {
	logins := uv.Logins{"a.example": {User: "me", Password: "pass"}}
	const basic = "Basic bWU6cGFzcw=="
	for id, want := range map[string]string{
		"HTTP_AUTH_HEADER_a.example":      basic,
		"HTTP_AUTH_HEADER_A.Example":      basic,
		"GIT_AUTH_HEADER.a.example":       basic,
		"GIT_AUTH_HEADER.a.example:8443":  basic,
		"HTTP_AUTH_HEADER_b.a.example":    "",
		"HTTP_AUTH_HEADER_a.example.evil": "",
		"HTTP_AUTH_TOKEN_a.example":       "",
		"a.example":                       "",
		"lamina-netrc":                    "", // no exec gets any
		"":                                "",
	} {
		got, err := logins.GetSecret(t.Context(), id)
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("secret %q is %q, %v; want %q", id, got, err, want)
		}
		if err != nil && !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("secret %q: the engine would not go on without it: %v", id, err)
		}
	}
}

func TestLoginsForAClient(t *testing.T) {
	logins := uv.Logins{"a.example": {User: "me", Password: "pass"}}
	if user, password, ok := logins.For(&url.URL{Host: "A.example:8443"}); !ok || user != "me" || password != "pass" {
		t.Errorf("got %q, %v", user, ok)
	}
	if _, _, ok := logins.For(&url.URL{Host: "b.example"}); ok {
		t.Error("a login for a host that has none")
	}
}

func TestLoginsAreNeverPrinted(t *testing.T) {
	logins := uv.Logins{"a.example": {User: "geheim-user", Password: "geheim-password"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(verb, logins) + fmt.Sprintf(verb, logins.Merge(logins)); strings.Contains(text, "geheim") || strings.Contains(text, fmt.Sprintf("%x", "geheim")) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if _, err := logins.GetSecret(t.Context(), "else"); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v", err)
	}
}
