package uv_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/resolve/uv"
)

// plain exposes logins, which are otherwise never printed, to a test.
func plain(l uv.Logins) map[string][2]string {
	all := map[string][2]string{}
	for host, login := range l {
		all[host] = [2]string{login.User, login.Password}
	}
	return all
}

func TestParseNetrc(t *testing.T) {
	me := map[string][2]string{"a.example": {"me", "pass"}}
	tests := []struct {
		name, text string
		want       map[string][2]string
	}{
		{"empty", "", map[string][2]string{}},
		{"one line", "machine a.example login me password pass\n", me},
		{"lines", "machine a.example\r\n\tlogin me\n  password pass", me},
		{"user", "machine a.example user me password pass", me},
		{"capitals of a host", "machine A.Example login me password pass", me},
		{"account", "machine a.example login me account password password pass", me},
		{"password first", "machine a.example password pass login me", me},
		{"two", "machine a.example login me password pass machine b.example login you password word", map[string][2]string{
			"a.example": {"me", "pass"}, "b.example": {"you", "word"},
		}},
		{"token without a user", "machine a.example password pass", map[string][2]string{"a.example": {"", "pass"}}},
		{"only a host", "machine a.example", map[string][2]string{}},
		{"the later one counts", "machine a.example login x password y account z\nmachine a.example login me password pass", me},
		{"nothing of the earlier one is left", "machine a.example login x password y\nmachine a.example login me", map[string][2]string{"a.example": {"me", ""}}},
		{"default", "default login x password y\nmachine a.example login me password pass\ndefault login x password y", me},
		{"comments", "# machine b.example login x password y\nmachine a.example # password z\n login me password pass # the last one\n#", me},
		{"comment without a space", "#machine b.example login x\nmachine a.example login me password pass", me},
		{"password like a comment", "machine a.example login me password #pass", map[string][2]string{"a.example": {"me", "#pass"}}},
		{"words like keywords", "machine a.example login machine password login", map[string][2]string{"a.example": {"machine", "login"}}},
		{"macro", "machine a.example login me password pass\nmacdef init\nmachine b.example login x password y\n\nmachine c.example login z\n", map[string][2]string{
			"a.example": {"me", "pass"}, "c.example": {"z", ""},
		}},
		{"macro without an end", "machine a.example login me password pass\nmacdef init\nmachine b.example login x", me},
		{"macro by itself", "machine a.example login me password pass\nmacdef", me},
		{"quotes", `machine "a.example" login "me" password "pa ss"`, map[string][2]string{"a.example": {"me", "pa ss"}}},
		{"quotes and escapes", `machine a.example login m\"e password "p\"a\\s#s" machine b.example`, map[string][2]string{"a.example": {`m"e`, `p"a\s#s`}}},
		{"empty quotes", `machine a.example login "" password ""`, map[string][2]string{"a.example": {"", ""}}},
		{"quote without an end", `machine a.example login me password "pass`, me},
		{"escape at the end", `machine a.example login me password pass\`, map[string][2]string{"a.example": {"me", `pass\`}}},
		{"login of nobody", "login x password y machine", map[string][2]string{}},
		{"other words", "protocol https machine a.example port 8080 login me password pass", me},
		{"letters of the world", "machine a.example login mé password pässwörd", map[string][2]string{"a.example": {"mé", "pässwörd"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, plain(uv.ParseNetrc([]byte(tt.text)))); diff != "" {
				t.Errorf("logins (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseNetrcNeverPanics(f *testing.F) {
	f.Add("machine a.example login me password pass # x\nmacdef y\nz\n\ndefault login \"q\\\"\" password \\")
	f.Add("macdef")
	f.Add("machine \"")
	f.Fuzz(func(t *testing.T, text string) {
		logins := uv.ParseNetrc([]byte(text))
		if _, ok := logins[""]; ok {
			t.Error("a login for no host")
		}
	})
}
