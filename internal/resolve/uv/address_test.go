package uv

import (
	"slices"
	"testing"

	"lamina.build/internal/resolve/reqfile"
)

func TestAddressesThatARequestNames(t *testing.T) {
	pyproject := `# see https://comment.example/x
[project]
dependencies = ["d @ git+https://me@deep.example/d.git@v1#egg=d"]
optional-dependencies = { x = ["e @ https://e.example/e.whl"] }
[project.urls]
Homepage = "https://github.example/me/x"
[build-system]
requires = ["f @ https://f.example/f.whl"]
[dependency-groups]
dev = ["g @ https://g.example/g.whl"]
[tool.uv.sources]
a = { git = "https://lab.example:8443/a" }
[tool.poetry]
homepage = "https://home.example"
[tool.poetry.dependencies]
p = { git = "ssh://git@poetry.example:2222/p.git" }
[tool.mine]
base = "http://127.0.0.1:5000/api"
`
	setup := `# http://localhost:8888/docs
setup(url="https://home.example/x", install_requires=['b @ https://tree.example/b.whl',  # as https://not.example
    "c@git+https://tree.example/c@main", f"h @ https://{host}/h.whl"])
`
	project := directory(map[string]string{
		"pyproject.toml": pyproject, "uv.lock": "[[package]]\nsource = { git = 'https://lock.example/r?rev=a#1' }\nwheels = [{ url = 'https://files.example/x.whl?a=b' }]\n",
		"pylock.toml": "[[packages]]\narchive = { url = 'https://pylock.example/x.zip' }\n", "broken.toml": "https://not.example",
		"uv.toml": "override-dependencies = [\"u @ https://u.example/u.whl\"] # https://not.example\n", "wheels/a.whl": "https://not.example", "src/setup.py": setup, "src/requirements.txt": "https://line.example/l.whl\n--index-url https://not.example\n-e git+https://line.example/g\n",
		"src/cc/pyproject.toml": "[project]\ndependencies = [\"c @ git+https://deep.example/c\"]\n[project.urls]\nx = \"https://not.example\"\n",
	})
	list := slices.Grow([]reqfile.Requirement{{URL: "https://r.example/x.whl#sha256=00"}, {Name: "by-name"}}, 4)
	r := Request{
		Files:     reqfile.Set{Requirements: list, Constraints: []reqfile.Requirement{{URL: "git+ssh://git@c.example/me/c.git@main"}}},
		Overrides: []string{"x @ https://o.example/x.whl", "y==1"}, BuildRequires: map[string][]string{"z": {"w @ git+https://b.example/w", "v"}},
		ProjectFiles: []string{"pyproject.toml", "uv.lock", "pylock.toml", "wheels/a.whl", "missing.toml", "broken.toml", "uv.toml"},
		Sources:      map[string]string{"src": "src", "cc": "src/cc", "none": "none"},
	}
	equal(t, "required", r.required(project), []string{
		"https://b.example/w", "https://c.example/me/c.git", "https://deep.example/d.git", "https://e.example/e.whl", "https://f.example/f.whl", "https://files.example/x.whl?a=b",
		"https://g.example/g.whl", "https://lab.example:8443/a", "https://lock.example/r?rev=a", "https://o.example/x.whl", "https://poetry.example/p.git",
		"https://pylock.example/x.zip", "https://r.example/x.whl", "https://u.example/u.whl",
	})
	trees := []string{"https://deep.example/c", "https://line.example/g", "https://line.example/l.whl", "https://tree.example/b.whl", "https://tree.example/c"}
	equal(t, "required by trees", r.treesRequire(project), trees)
	if spare := list[:3][2]; spare.URL != "" {
		t.Errorf("the list of the request was written to: %+v", spare)
	}
	r.Sources = nil
	if named := r.named(project); len(named) != 14 {
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
