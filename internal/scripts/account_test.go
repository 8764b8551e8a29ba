package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/scripts"
)

// Each name and number has one account, and if the spec's is not possible, the error says what
// to write.
func TestAccounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a home away")
	}
	const passwd, group = "root:x:0:0::/root:/bin/sh\nsvc:x:101:103::/srv:/bin/sh\nsame:x:104:104::/srv:/bin/sh\n", "root:x:0:\nsvc:x:103:\nsame:x:104:\nonly:x:105:\n"
	for _, tt := range []struct{ user, passwd, group, refused string }{
		{"", "", "", ""},
		{"root", "", "", ""},
		{"svc", "", "", ""},
		{"same:104", "", "", ""},
		{"app", "app:x:10001:10001::/home/app:/usr/sbin/nologin\n", "app:x:10001:\n", ""},
		{"app:777", "app:x:777:777::/home/app:/usr/sbin/nologin\n", "app:x:777:\n", ""},
		{"only", "only:x:10001:105::/home/only:/usr/sbin/nologin\n", "", ""},
		{"only:105", "only:x:105:105::/home/only:/usr/sbin/nologin\n", "", ""},
		{"svc:10001", "", "", `"svc" is an account of a package, with the numbers 101:103; write user = "svc" under [app]`},
		{"svc:101", "", "", `"svc" is an account of a package, with the numbers 101:103; write user = "svc" under [app]`},
		{"only:10001", "", "", `"only" is a group of a package, with the number 105; write user = "only" under [app]`},
		{"app:101", "", "", `the number 101 belongs to "svc"; write user = "app:another number" under [app]`},
		{"app:105", "", "", `the number 105 belongs to "only"; write`},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"etc/passwd": passwd, "etc/group": group, "etc/shadow": "", "etc/gshadow": "", "home/.": ""} {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if filepath.Base(name) != "." {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		script := scripts.Named("account.sh")["account.sh"]
		for _, inside := range []string{`"/etc/`, `>>/etc/`, `"/home/`} { // not those that an account has
			script = strings.ReplaceAll(script, inside, strings.Replace(inside, "/", dir+"/", 1))
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SOURCE_DATE_EPOCH=315532800", "user=" + tt.user}
		out, err := cmd.CombinedOutput()
		if (err != nil) != (tt.refused != "") || !strings.Contains(string(out), tt.refused) || err == nil && len(out) > 0 {
			t.Errorf("%s: %v: %s, want %q", tt.user, err, out, tt.refused)
		}
		for name, want := range map[string]string{"passwd": passwd + tt.passwd, "group": group + tt.group} {
			got, err := os.ReadFile(filepath.Join(dir, "etc", name))
			if err != nil || string(got) != want {
				t.Errorf("%s: %s is\n%swant\n%s", tt.user, name, got, want)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "home", strings.Split(tt.user+":", ":")[0])); tt.passwd != "" && err != nil {
			t.Error(err)
		}
	}
}
