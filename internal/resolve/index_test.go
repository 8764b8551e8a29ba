package resolve

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// indexesOf returns the indexes that a flag and variables name.
func indexesOf(flag string, env map[string]string) (indexes, error) {
	return Project{PythonIndex: flag, Env: func(name string) string { return env[name] }}.indexes()
}

func TestPythonIndexes(t *testing.T) {
	all := map[string]string{
		"LAMINA_PYTHON_INDEX": "https://lamina.example/simple/", "UV_DEFAULT_INDEX": "https://uv.example/simple", "PIP_INDEX_URL": "http://pip.example:8080/simple",
		"UV_INDEX": "https://a.example own=https://b.example/x?y=z", "PIP_EXTRA_INDEX_URL": "https://c.example\n https://d.example/",
	}
	without := func(names ...string) map[string]string {
		env := map[string]string{}
		maps.Copy(env, all)
		for _, name := range names {
			delete(env, name)
		}
		return env
	}
	further := []string{"https://a.example", "https://b.example/x?y=z", "https://c.example", "https://d.example"}
	const told = ", https://a.example (UV_INDEX), https://b.example/x?y=z (UV_INDEX), https://c.example (PIP_EXTRA_INDEX_URL), https://d.example (PIP_EXTRA_INDEX_URL)"
	for _, tt := range []struct {
		name, flag string
		env        map[string]string
		want       uv.Indexes
		from       string
	}{
		{"the flag", "https://flag.example", all, uv.Indexes{Default: "https://flag.example"}, ", from https://flag.example (--python-index)"},
		{"Lamina's own variable", "", all, uv.Indexes{Default: "https://lamina.example/simple"}, ", from https://lamina.example/simple (LAMINA_PYTHON_INDEX)"},
		{"uv's", "", without("LAMINA_PYTHON_INDEX"), uv.Indexes{Default: "https://uv.example/simple", Further: further}, ", from https://uv.example/simple (UV_DEFAULT_INDEX)" + told},
		{"pip's", "", without("LAMINA_PYTHON_INDEX", "UV_DEFAULT_INDEX"), uv.Indexes{Default: "http://pip.example:8080/simple", Further: further}, ", from http://pip.example:8080/simple (PIP_INDEX_URL)" + told},
		{"PyPI and further ones", "", without("LAMINA_PYTHON_INDEX", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"), uv.Indexes{Default: uv.DefaultIndex, Further: further}, told},
		{"PyPI", "", nil, uv.Indexes{Default: uv.DefaultIndex}, ""},
		{"with a name", "", map[string]string{"UV_DEFAULT_INDEX": "own=https://uv.example"}, uv.Indexes{Default: "https://uv.example"}, ", from https://uv.example (UV_DEFAULT_INDEX)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := indexesOf(tt.flag, tt.env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, o.Indexes); diff != "" {
				t.Errorf("indexes (-want +got):\n%s", diff)
			}
			if o.told != tt.from {
				t.Errorf("told is %q, want %q", o.told, tt.from)
			}
			if len(o.logins) > 0 {
				t.Errorf("there are logins: %v", o.logins)
			}
		})
	}
}

func TestLoginsInAddressesOfIndexes(t *testing.T) {
	for _, name := range []string{"UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_INDEX", "PIP_EXTRA_INDEX_URL"} {
		t.Run(name, func(t *testing.T) {
			o, err := indexesOf("", map[string]string{name: "https://me:geh%40^%eim@i.example:8443/simple"})
			if err != nil {
				t.Fatal(err)
			}
			login := o.logins["i.example:8443"]
			if len(o.logins) != 1 || login.User != "me" || login.Password != "geh@^%eim" {
				t.Errorf("got %d logins", len(o.logins))
			}
			all := fmt.Sprint(o.Indexes, o.told, o.logins)
			if !strings.Contains(all, "https://i.example:8443/simple") || strings.Contains(all, "eim") || strings.Contains(all, "me:") {
				t.Errorf("got %s", all)
			}
			if _, _, ok := uv.Logins(nil).Merge(o.logins).For(&url.URL{Host: "i.example"}); !ok {
				t.Error("the login is of no use")
			}
		})
	}
}

func TestProblemsOfIndexes(t *testing.T) {
	for _, tt := range []struct {
		name, flag string
		env        map[string]string
		want, hint string
	}{
		{"login in the flag", "https://me:geheim@i.example/simple", nil, `--python-index: index "…@i.example/simple" holds a login`, "put it into ~/.netrc"},
		{"token in the flag", "https://geheim@i.example/simple", nil, `--python-index: index "…@i.example/simple" holds a login`, "put it into ~/.netrc"},
		{"login in our variable", "", map[string]string{"LAMINA_PYTHON_INDEX": "https://me:geheim@i.example"}, `LAMINA_PYTHON_INDEX: index "…@i.example" holds a login`, "put it into ~/.netrc"},
		{"another scheme", "ftp://i.example", nil, `--python-index: index "ftp://i.example" is not a URL that starts with https:// or http://`, ""},
		{"a directory", "", map[string]string{"UV_INDEX": "./wheels"}, `UV_INDEX: index "./wheels" is not a URL`, ""},
		{"no host", "", map[string]string{"UV_DEFAULT_INDEX": "https://"}, `UV_DEFAULT_INDEX: index "https://" is not a URL`, ""},
		{"another scheme with a login", "", map[string]string{"PIP_INDEX_URL": "ftp://me:geheim@x:geheim@i.example"}, `PIP_INDEX_URL: index "…@i.example" is not a URL`, ""},
		{"no address, with a login", "", map[string]string{"PIP_EXTRA_INDEX_URL": "https://ok.example https://me:geh%zzeim@i.example:x"}, `PIP_EXTRA_INDEX_URL: index "…@i.example:x" is not a URL`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := indexesOf(tt.flag, tt.env)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "geh") {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if got := strings.Join(failure.Hints(err), "\n"); got != tt.hint {
				t.Errorf("hint is %q", got)
			}
			if got := failure.KindOf(err); got != failure.Usage {
				t.Errorf("kind is %d", got)
			}
		})
	}
}

// A file from an unnamed index that a mirror has, too, comes only from the mirror.
func TestAccessKnowsOthers(t *testing.T) {
	sum := strings.Repeat("a", 64)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, `<a href="/f/six-1.0-py3-none-any.whl#sha256=%s">six-1.0-py3-none-any.whl</a>`, sum)
	}))
	defer s.Close()
	p := Project{PythonIndex: s.URL + "/simple", Env: func(string) string { return "" }, Root: fstest.MapFS{}, CacheDir: t.TempDir(), Note: func(string) {}}
	set := lock.ParseSet("python")
	p.Requirements.Python = []uv.Request{{Set: set, Files: reqfile.Set{Requirements: []reqfile.Requirement{{Name: "six", Kind: reqfile.Named, Line: "six"}}}}}
	for index, strange := range map[string]bool{"https://other.example/simple": true, uv.DefaultIndex: false} {
		a, err := p.Access(t.Context(), lock.Lock{Distributions: []lock.Distribution{{
			Name: "six", Version: "1.0", File: "six-1.0-py3-none-any.whl", SHA256: sum, Index: index, URL: "https://files.pythonhosted.org/packages/six-1.0-py3-none-any.whl", For: []lock.Set{set},
		}}})
		if err != nil || a.Mirror.Has[sum] != s.URL+"/f/six-1.0-py3-none-any.whl" || a.Strange[sum] != strange {
			t.Errorf("of %s: the mirror has %q, strange is %v, %v", index, a.Mirror.Has, a.Strange, err)
		}
	}
}
