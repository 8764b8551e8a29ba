package uv

import (
	"slices"
	"testing"

	"lamina.build/internal/resolve/reqfile"
)

func TestAddressesThatARequestNames(t *testing.T) {
	setup := `setup(url="https://home.example/x", install_requires=['b @ https://tree.example/b.whl',
    "c@git+https://tree.example/c@main", f"h @ https://{host}/h.whl"])
`
	list := slices.Grow([]reqfile.Requirement{{URL: "https://r.example/x.whl#sha256=00"}, {Name: "by-name"}}, 4)
	r := Request{
		Files:     reqfile.Set{Requirements: list, Constraints: []reqfile.Requirement{{URL: "git+ssh://git@c.example/me/c.git@main"}}},
		Overrides: []string{"x @ https://o.example/x.whl", "y==1"}, BuildRequires: map[string][]string{"z": {"w @ git+https://b.example/w", "v"}},
		ProjectTexts: []string{`["d @ git+https://me@deep.example/d.git@v1#egg=d",{"git":"https://lab.example:8443/a"}]`, `{"git":"ssh://git@poetry.example:2222/p.git"}`},
		LockText:     "[[package]]\nsource = { git = 'https://lock.example/r?rev=a#1' }\nwheels = [{ url = 'https://files.example/x.whl?a=b' }]\n",
		TreeTexts:    []string{`["c @ git+https://deep.example/c"]`},
		TreePrograms: []string{setup, "https://line.example/l.whl\n--index-url https://not.example\n-e git+https://line.example/g\n"},
	}
	equal(t, "required", r.required(), []string{
		"https://b.example/w", "https://c.example/me/c.git", "https://deep.example/d.git", "https://files.example/x.whl?a=b",
		"https://lab.example:8443/a", "https://lock.example/r?rev=a", "https://o.example/x.whl", "https://poetry.example/p.git", "https://r.example/x.whl",
	})
	trees := []string{"https://deep.example/c", "https://line.example/g", "https://line.example/l.whl", "https://tree.example/b.whl", "https://tree.example/c"}
	equal(t, "required by trees", r.treesRequire(), trees)
	if spare := list[:3][2]; spare.URL != "" {
		t.Errorf("the list of the request was written to: %+v", spare)
	}
	r.TreeTexts, r.TreePrograms = nil, nil
	if named := r.named(); len(named) != 9 {
		t.Errorf("without trees, named are %q", named)
	}
}

func TestLoginsOfSomeHosts(t *testing.T) {
	logins := Logins{"a.example": {User: "a"}, "b.example": {User: "b"}}
	some := logins.Only([]string{"https://A.example:8443/x.whl", "git+https://c.example/r@c", "file:wheels/x.whl", ""})
	if len(some) != 1 || some["a.example"].User != "a" {
		t.Errorf("got %d logins", len(some))
	}
}
