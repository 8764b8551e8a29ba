package uv

import (
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/failure"
)

func TestShortFormOfSSH(t *testing.T) {
	r := Request{TreeTexts: []string{`{"a":"git@a.example:org/x.git","b":"ssh://git@b.example:2222/x","c":"me@c.example:x"}`, "git@d.example:x"}}
	want := []string{"https://a.example/org/x.git", "https://b.example/x", "https://d.example/x"}
	equal(t, "addresses", r.treesRequire(), want)
}

func TestGitGoesByHTTPSWhereThereIsALogin(t *testing.T) {
	logins := Logins{"known.example": {User: "me", Password: "secret"}}
	for text, want := range map[string]string{
		"x @ git+ssh://git@known.example/org/x.git@main": "x @ git+https://known.example/org/x.git@main",
		"x @ git+ssh://known.example:2222/x":             "x @ git+https://known.example/x",
		"x @ git+https://other.example/x":                "x @ git+https://other.example/x",
	} {
		if got, err := logins.overHTTPS(text); err != nil || got != want {
			t.Errorf("%s became %s (%v), want %s", text, got, err, want)
		}
	}
	_, err := logins.overHTTPS("x @ git+ssh://git@other.example/x")
	if failure.KindOf(err) != failure.Usage || !slices.ContainsFunc(failure.Hints(err), func(hint string) bool { return strings.Contains(hint, "~/.netrc") }) {
		t.Errorf("without a login: %v, %q", err, failure.Hints(err))
	}
}

func TestAddressesBySSHAreToldByPlace(t *testing.T) {
	q := question{
		Requirements: []requirement{{"a", "a @ git+ssh://git@one.example/a"}}, Constraints: []string{"b @ git+ssh://git@two.example/b"},
		Overrides: []string{"c @ git+ssh://git@three.example/c"}, places: []place{{"a", "requirements.txt:1"}, {"b", "limits.txt:2"}, {"c", "image.toml:3:4"}},
	}
	err := q.overHTTPS(nil)
	for _, want := range []string{"requirements.txt:1: one.example", "limits.txt:2: two.example", "image.toml:3:4: [python] overrides: three.example"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// The configuration of an exec has only hosts that the request names, and no login.
func TestGitItselfTakesHTTPSForSSH(t *testing.T) {
	logins := Logins{"known.example": {User: "me", Password: "secret"}, "elsewhere.example": {User: "me", Password: "secret"}}
	r := Request{
		ProjectTexts: []string{`[{"git":"https://other.example/x"},{"git":"https://known.example:443/x"},{"git":"ssh://me@known.example:2222/y"}]`},
		TreeTexts:    []string{`{"git":"git@poetry.example:org/x.git"}`},
	}
	logins["poetry.example"] = logins["known.example"]
	got := strings.Join(logins.gitConfig(r), "\n")
	for _, want := range []string{"GIT_CONFIG_COUNT=7", "=url.https://known.example/.insteadOf", "=ssh://git@known.example/", "=git@known.example:", "=ssh://me@known.example:2222/", "=git@poetry.example:"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "elsewhere") {
		t.Error(got)
	}
}
