package python

import (
	"slices"
	"testing"

	"lamina.build/internal/requirements"
	"lamina.build/lock"
)

func TestHostsThatARequestNames(t *testing.T) {
	project := folder(map[string]string{
		"pyproject.toml": "[tool.uv.sources]\na = { git = \"https://lab.example:8443/a\" }\n", "uv.lock": "url = 'https://files.example/x.whl'\n",
		"wheels/a.whl": "https://not.example", "src/setup.py": "install_requires=['b @ https://tree.example/b.whl']\n",
		"src/cc/pyproject.toml": "dependencies = [\"c @ git+https://deep.example/c\"]\n",
	})
	list := slices.Grow([]requirements.Requirement{{URL: "https://r.example/x.whl"}, {Name: "by-name"}}, 4)
	r := Request{
		Files:     requirements.Set{Requirements: list, Constraints: []requirements.Requirement{{URL: "https://c.example/x.whl"}}},
		Overrides: []string{"x @ https://o.example/x.whl", "y==1"}, BuildRequires: map[string][]string{"z": {"w @ git+https://b.example/w", "v"}},
		ProjectFiles: []string{"pyproject.toml", "uv.lock", "wheels/a.whl", "missing.toml"},
		Sources:      map[string]string{"src": "src", "cc": "src/cc", "none": "none"},
	}
	got := r.hosts(project)
	slices.Sort(got)
	equal(t, "hosts", got, []string{
		"b.example", "c.example", "deep.example", "files.example", "lab.example:8443", "o.example", "r.example", "tree.example",
	})
	if spare := list[:3][2]; spare.URL != "" {
		t.Errorf("the list of the request was written to: %+v", spare)
	}
}

func TestHostsInATextAreToldOnce(t *testing.T) {
	got := namedIn("a https://x.example/1, 'http://y.example:80/a' https://x.example/2 ssh://z.example https:// <https://v.example>")
	equal(t, "hosts", got, []string{"x.example", "y.example:80", "z.example", "v.example"})
}

func TestLoginsOfSomeHosts(t *testing.T) {
	logins := Logins{"a.example": {User: "a"}, "b.example": {User: "b"}}
	some := logins.Only([]string{"A.example:8443", "c.example", ""})
	if len(some) != 1 || some["a.example"].User != "a" {
		t.Errorf("got %d logins", len(some))
	}
}

func TestHostsOfALock(t *testing.T) {
	got := Hosts([]lock.Distribution{{URL: "https://f.example:1/x.whl"}, {URL: "git+https://g.example/r@c"}, {URL: "file:wheels/x.whl"}})
	equal(t, "hosts", got, []string{"f.example:1", "g.example", ""})
}
