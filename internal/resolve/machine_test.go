package resolve

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
)

// machine returns a project on a machine with some variables and files, relative to its home.
// "HOME" in them stands for that directory.
func machine(t *testing.T, env, files map[string]string) (p Project, home string) {
	t.Helper()
	home = t.TempDir()
	for name, text := range files {
		name = filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "HOME", home)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.etcDir, p.Requirements.Python = filepath.Join(home, "etc"), []uv.Request{{}}
	p.Root, p.Note = fstest.MapFS{}, func(line string) { t.Log(line) }
	p.Env = func(name string) string {
		if name == "HOME" {
			return home
		}
		if value, ok := env[name]; ok {
			return strings.ReplaceAll(value, "HOME", home)
		}
		if name == "XDG_CONFIG_DIRS" {
			return filepath.Join(home, "system")
		}
		return ""
	}
	return p, home
}

func TestIndexesOfFiles(t *testing.T) {
	const (
		uvToml  = ".config/uv/uv.toml"
		pipConf = ".config/pip/pip.conf"
	)
	both := map[string]string{
		uvToml: `[[index]]
name = "corp"
url = "https://corp.example/simple/"
[[index]]
url = "https://uv.example/simple"
default = true
[[index]]
name = "named"
url = "https://named.example"
explicit = true
[[index]]
url = "./wheels"
format = "flat"
`,
		pipConf: "# of all\n[global]\nindex-url = https://pip.example/simple\nextra_index_url: https://x.example\n   https://y.example\n[list]\nindex-url=https://wrong.example\n",
	}
	only := func(name string) map[string]string { return map[string]string{name: both[name]} }
	for _, tt := range []struct {
		name       string
		env, files map[string]string
		want       uv.Indexes
		told       string
	}{
		{
			"uv's before pip's", nil, both,
			uv.Indexes{Default: "https://uv.example/simple", Further: []string{"https://corp.example/simple", "https://x.example", "https://y.example"}},
			", from https://uv.example/simple (HOME/.config/uv/uv.toml), https://corp.example/simple (HOME/.config/uv/uv.toml), https://x.example (HOME/.config/pip/pip.conf), https://y.example (HOME/.config/pip/pip.conf)",
		},
		{
			"variables before files",
			map[string]string{"PIP_INDEX_URL": "https://env.example", "PIP_EXTRA_INDEX_URL": "https://z.example", "UV_INDEX": "https://corp.example/simple"},
			both,
			uv.Indexes{Default: "https://env.example", Further: []string{"https://corp.example/simple", "https://z.example"}},
			", from https://env.example (PIP_INDEX_URL), https://corp.example/simple (UV_INDEX), https://z.example (PIP_EXTRA_INDEX_URL)",
		},
		{"Lamina's own word", map[string]string{"LAMINA_PYTHON_INDEX": "https://own.example"}, both, uv.Indexes{Default: "https://own.example"}, ", from https://own.example (LAMINA_PYTHON_INDEX)"},
		{
			"without uv's",
			map[string]string{"UV_NO_CONFIG": "1"},
			both,
			uv.Indexes{Default: "https://pip.example/simple", Further: []string{"https://x.example", "https://y.example"}},
			", from https://pip.example/simple (HOME/.config/pip/pip.conf), https://x.example (HOME/.config/pip/pip.conf), https://y.example (HOME/.config/pip/pip.conf)",
		},
		{"without pip's", map[string]string{"PIP_CONFIG_FILE": os.DevNull}, only(pipConf), uv.Indexes{Default: uv.DefaultIndex}, ""},
		{"the user's before the machine's", nil, map[string]string{
			"system/pip/pip.conf": "[global]\nindex-url = https://wrong.example\nextra-index-url = https://x.example\n", pipConf: "[install]\nindex-url = https://pip.example\n[global]\nindex-url = https://wrong.example\n",
		}, uv.Indexes{Default: "https://pip.example", Further: []string{"https://x.example"}}, ", from https://pip.example (HOME/.config/pip/pip.conf), https://x.example (HOME/.config/pip/pip.conf)"},
		{
			"of both of uv", nil,
			map[string]string{"etc/uv/uv.toml": "index-url = 'https://wrong.example'", "system/uv/uv.toml": "index-url = 'https://a.example'\nextra-index-url = ['https://b.example']", uvToml: "extra-index-url = ['https://c.example']"},
			uv.Indexes{Default: "https://a.example", Further: []string{"https://c.example", "https://b.example"}},
			", from https://a.example (HOME/system/uv/uv.toml), https://c.example (HOME/.config/uv/uv.toml), https://b.example (HOME/system/uv/uv.toml)",
		},
		{
			"of all users", nil,
			map[string]string{"etc/uv/uv.toml": "index-url = 'https://a.example'", "etc/pip.conf": "[global]\nextra-index-url = https://b.example"},
			uv.Indexes{Default: "https://a.example", Further: []string{"https://b.example"}},
			", from https://a.example (HOME/etc/uv/uv.toml), https://b.example (HOME/etc/pip.conf)",
		},
		{"files that variables name", map[string]string{"UV_CONFIG_FILE": "HOME/ci.toml", "PIP_CONFIG_FILE": "HOME/ci.conf"}, map[string]string{
			"ci.toml": "index-url = 'https://a.example'", "ci.conf": "[global]\nextra-index-url = https://b.example", uvToml: both[uvToml], pipConf: both[pipConf],
		}, uv.Indexes{Default: "https://a.example", Further: []string{"https://b.example"}}, ", from https://a.example (HOME/ci.toml), https://b.example (HOME/ci.conf)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, home := machine(t, tt.env, tt.files)
			x, err := p.indexes()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, x.Indexes); diff != "" {
				t.Errorf("indexes (-want +got):\n%s", diff)
			}
			if want := strings.ReplaceAll(tt.told, "HOME", home); x.told != want {
				t.Errorf("told is %q, want %q", x.told, want)
			}
		})
	}
	// What a project has at relative places isn't the machine's.
	p, home := machine(t, map[string]string{"XDG_CONFIG_DIRS": ":HOME/system:.", "XDG_CONFIG_HOME": "."}, map[string]string{
		"project/uv/uv.toml": "index-url = 'https://wrong.example'", "project/pip/pip.conf": "[global]\nextra-index-url = https://wrong.example", uvToml: "index-url = 'https://uv.example'",
	})
	t.Chdir(filepath.Join(home, "project"))
	if x, err := p.indexes(); err != nil || x.Default != "https://uv.example" || len(x.Further) > 0 {
		t.Errorf("in a project: %+v, %v", x.Indexes, err)
	}
	for name, text := range map[string]string{uvToml: "a = 1\nb =", pipConf: "[global]\nindex-url = ftp://me:secret@x.example"} {
		p, home := machine(t, nil, map[string]string{name: text})
		_, err := p.indexes()
		if failure.KindOf(err) != failure.Usage || !strings.HasPrefix(err.Error(), filepath.Join(home, name)+":") || strings.Contains(err.Error(), "secret") {
			t.Errorf("of a wrong %s: %v", name, err)
		}
		p.Requirements.Python = nil
		if _, err = p.indexes(); err != nil {
			t.Errorf("of a wrong %s, which nobody needs: %v", name, err)
		}
	}
}

// The login of highest precedence is used, and a keyring is asked for the rest if one is
// configured.
func TestLoginsOfAMachine(t *testing.T) {
	files := map[string]string{
		".netrc":               "machine net.example login net password one\nmachine corp.example login net password two\n",
		".config/pip/pip.conf": "[global]\nindex-url = https://conf:three@conf.example/simple\nextra-index-url = https://azure@user.example/simple\n  https://nobody.example/simple\n  https://net.example\n  https://unknown.example\n",
		".config/uv/uv.toml":   "[[index]]\nname = 'corp-1.x'\nurl = 'https://corp.example'\n",
		"bin/keyring": `#!/bin/sh
echo "$@" >> HOME/asked
case "$*" in
"get https://user.example/simple azure") echo four ;;
"--mode creds get nobody.example") printf 'some\nbody:5\n' ;;
*) echo no such secret >&2; exit 1 ;;
esac
`,
	}
	env := map[string]string{"PATH": "relative:HOME/none:HOME/bin", "UV_INDEX_CORP_1_X_USERNAME": "ci", "UV_INDEX_CORP_1_X_PASSWORD": "six", "UV_INDEX_SPEC_PASSWORD": "seven", "UV_INDEX_TREE_USERNAME": "eight"}
	of := func(t *testing.T, provider string) (logins uv.Logins, asked []string) {
		env["UV_KEYRING_PROVIDER"] = provider
		p, home := machine(t, env, files)
		p.Requirements.Python = []uv.Request{{
			Uses:    uv.ProjectIndexes{Named: []string{"https://tree.example"}, Names: map[string]string{"tree": "https://tree.example"}},
			Indexes: []uv.Index{{Name: "spec", URL: "https://spec.example/simple"}},
		}}
		x, err := p.indexes()
		if err != nil {
			t.Fatal(err)
		}
		if logins, err = p.logins(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(filepath.Join(home, "asked"))
		return logins, strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	want := map[string]string{
		"net.example": "net one", "corp.example": "ci six", "conf.example": "conf three", "user.example": "azure ", "spec.example": " seven", "tree.example": "eight ",
	}
	check := func(logins uv.Logins) {
		t.Helper()
		got := map[string]string{}
		for place, login := range logins {
			got[place] = login.User + " " + login.Password
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("logins (-want +got):\n%s", diff)
		}
	}
	logins, asked := of(t, "")
	check(logins)
	if len(asked) != 1 || asked[0] != "" {
		t.Errorf("a keyring that nobody names is asked: %q", asked)
	}
	logins, asked = of(t, "subprocess")
	want["user.example"], want["nobody.example"] = "azure four", "some body:5"
	check(logins)
	wanted := []string{
		"get https://user.example/simple azure", "--mode creds get https://nobody.example/simple", "--mode creds get nobody.example",
		"--mode creds get https://unknown.example", "--mode creds get unknown.example", "get https://tree.example eight", "get tree.example eight",
	}
	if diff := cmp.Diff(wanted, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// Of different logins for a place, the same one is always used, and a note says whose.
func TestTwoLoginsForAPlace(t *testing.T) {
	env := map[string]string{"UV_INDEX_A_PASSWORD": "one", "UV_INDEX_B_PASSWORD": "two", "UV_INDEX_C_PASSWORD": "two", "UV_INDEX_D_PASSWORD": "four"}
	x := indexes{
		names:  map[string]string{"a": "https://one.example/simple", "b": "https://One.example", "c": "https://one.example/Simple/"},
		logins: map[string]userinfo.Login{"two.example:81": {Password: "x"}, "two.example:82": {Password: "y"}},
	}
	for range 50 {
		var notes []string
		p := Project{Env: func(name string) string { return env[name] }, Note: func(line string) { notes = append(notes, line) }, Root: fstest.MapFS{}}
		logins, err := p.logins(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		one, two := logins["one.example"].Password, logins["two.example"].Password
		if one != "two" || two != "y" || len(notes) != 1 || notes[0] != `indexes "a" and "b" at one.example have different logins: both get that of "b"` {
			t.Fatalf("the passwords are %q and %q, the notes %q", one, two, notes)
		}
		p.Requirements.Python = []uv.Request{{Indexes: []uv.Index{{Name: "d", URL: "https://one.example"}}}}
		if logins, err = p.logins(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if one = logins["one.example"].Password; one != "four" {
			t.Fatalf("the password is %q, want that of the spec's index", one)
		}
	}
}

// Indexes at one host each have their own login, below the directory of their pages. One login
// for all is that of the host.
func TestLoginsByPath(t *testing.T) {
	env := map[string]string{"UV_INDEX_B_PASSWORD": "two", "UV_KEYRING_PROVIDER": "subprocess", "PATH": "HOME/bin"}
	p, home := machine(t, env, map[string]string{
		".netrc":               "machine one.example password net\n",
		".config/pip/pip.conf": "[global]\nextra-index-url = https://:one@two.example/a/simple/\n  https://two.example/c/+simple\n  https://two.example/c/+simple\n  https://two.example/d\n",
		"bin/keyring":          "#!/bin/sh\necho \"$@\" >> HOME/asked\n[ \"$4\" != https://two.example/c/+simple ] || printf '\\nthree\\n'\n",
	})
	x, err := p.indexes()
	if err != nil {
		t.Fatal(err)
	}
	x.names = map[string]string{"b": "https://one.example/b/simple"}
	logins, err := p.logins(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"https://one.example/b/files/x.whl": "two", "https://one.example:8443/b": "two", "https://one.example/bb": "net", "https://one.example/b/../x": "net", "git+https://one.example/r": "net",
		"https://two.example/a/x": "one", "https://TWO.example/c/": "three", "https://two.example/x": "", "https://two.example/": "",
	} {
		u, problem := url.Parse(address)
		if problem != nil {
			t.Fatal(problem)
		}
		if _, password, _ := logins.For(u); password != want {
			t.Errorf("of %s it is %q, want %q", address, password, want)
		}
	}
	text, _ := os.ReadFile(filepath.Join(home, "asked"))
	wanted := "--mode creds get https://two.example/c/+simple\n--mode creds get https://two.example/d\n--mode creds get two.example\n"
	if string(text) != wanted {
		t.Errorf("asked are %q, want %q", text, wanted)
	}
	x.keyring, x.names, x.logins = "", nil, map[string]userinfo.Login{"two.example/a": {User: "me"}, "two.example/b": {User: "me"}}
	if logins, err = p.logins(t.Context(), x); err != nil || logins["two.example"].User != "me" {
		t.Errorf("of one login: %d of them, %v", len(logins), err)
	}
}
