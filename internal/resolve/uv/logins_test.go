package uv_test

import (
	"errors"
	"fmt"
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
	if user, password, ok := logins.For("A.example:8443"); !ok || user != "me" || password != "pass" {
		t.Errorf("got %q, %v", user, ok)
	}
	if _, _, ok := logins.For("b.example"); ok {
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
