package userinfo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/userinfo"
)

// No text keeps a user, except git's own; the logins are returned by host.
func TestTake(t *testing.T) {
	env := map[string]string{"USER": "me", "TOKEN": "geheim1", "BOTH": "me:geheim%402", "LINE": "geheim\n"}
	for text, want := range map[string]struct {
		bare   string
		logins map[string]userinfo.Login
		says   string // of what is wrong, or not set
	}{
		"https://h/x":                            {"https://h/x", nil, ""},
		"-i https://${USER}:${TOKEN}@H:8443/x":   {"-i https://H:8443/x", map[string]userinfo.Login{"h:8443": {User: "me", Password: "geheim1"}}, ""},
		`"https://${BOTH}@h"`:                    {`"https://h"`, map[string]userinfo.Login{"h": {User: "me", Password: "geheim@2"}}, ""},
		"https://u%40x@a https://${TOKEN}@b":     {"https://a https://b", map[string]userinfo.Login{"a": {User: "u@x"}, "b": {User: "geheim1"}}, ""},
		"git+ssh://git@h/x":                      {"git+ssh://git@h/x", nil, ""},
		"git+https://git@h/x":                    {"git+https://h/x", nil, ""},
		"git+https://${TOKEN}@h/x":               {"git+https://h/x", map[string]userinfo.Login{"h": {User: "geheim1"}}, ""},
		"git+ssh://git:${TOKEN}@h/x":             {"git+ssh://h/x", map[string]userinfo.Login{"h": {User: "git", Password: "geheim1"}}, ""},
		"https://me:geheim@h":                    {"https://h", nil, "at: the URL contains a password"},
		"https://${LINE}@h":                      {"https://h", nil, "at: the URL's user or password contains a control character"},
		"https://${USER}@h https://${TOKEN}@h":   {"https://h https://h", map[string]userinfo.Login{"h": {User: "me"}}, `at: "h" has a different user or password on another line`},
		"https://${NOBODY}:${NOTHING}@h/${USER}": {"https://h/${USER}", nil, "at: variable NOBODY is not set\nat: variable NOTHING is not set"},
	} {
		var f userinfo.Found
		bare, problems := f.Take(text, func(name string) string { return env[name] }, func(err error) error { return fmt.Errorf("at: %w", err) })
		for _, u := range f.Unset {
			if u.Host != "h" || failure.KindOf(u.Err) != failure.Usage {
				t.Errorf("%s: not set is %q of %s", text, u.Err, u.Host)
			}
			problems = append(problems, u.Err)
		}
		if diff := cmp.Diff(want.logins, f.Logins); bare != want.bare || diff != "" {
			t.Errorf("%s became %s (-want +got)\n%s", text, bare, diff)
		}
		if err := errors.Join(problems...); want.says == "" && err != nil || want.says != "" && (err == nil || !strings.HasPrefix(err.Error(), want.says)) {
			t.Errorf("%s: got %v, want %s", text, err, want.says)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s", f, f, f, bare); strings.Contains(shown, "geheim") {
			t.Errorf("%s: a secret is shown: %s", text, shown)
		}
	}
}

func TestUnquote(t *testing.T) {
	for text, want := range map[string]string{"a%40b": "a@b", "100%": "100%", "": "", "p%40ss%": "p@ss%", "%zz%2525%4": "%zz%25%4"} {
		if got := userinfo.Unquote(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}
