package requirements_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/spec"
)

// ofWorkspace has a project at each directory, and a workspace of members at the root.
func ofWorkspace(members, excluded []string, directories ...string) map[string]string {
	files := map[string]string{"pyproject.toml": fmt.Sprintf("[tool.uv.workspace]\nmembers = %s\nexclude = %s\n", list(members), list(excluded)), "uv.lock": ""}
	for _, dir := range directories {
		files[dir+"/pyproject.toml"] = "[project]\nname = \"x\"\n"
	}
	return files
}

func list(words []string) string {
	return "['" + strings.Join(words, "', '") + "']"
}

// The patterns of a workspace are those of uv: https://docs.rs/glob.
func TestMembersOfAWorkspace(t *testing.T) {
	tree := []string{"a", "b", "p/a", "p/b", "p/b/c", "p/.h", "p/^"}
	for _, tt := range []struct{ members, excluded, want []string }{
		{[]string{"p/*"}, nil, []string{"p/.h", "p/^", "p/a", "p/b"}},
		{[]string{"./p/*/"}, []string{"./p/b", "p/.*"}, []string{"p/^", "p/a"}},
		{[]string{"p/**"}, []string{"p/.h", "p/^"}, []string{"p/a", "p/b", "p/b/c"}},
		{[]string{"**/b", "**/**/c"}, nil, []string{"b", "p/b", "p/b/c"}},
		{[]string{"p/**/*"}, []string{"p/b*", "p/[!a]"}, []string{"p/.h", "p/a"}},
		{[]string{"**"}, []string{"**/b", "p/[.^]*"}, []string{"a", "p/a", "p/b/c"}},
		{[]string{"**"}, []string{"p/**"}, []string{"a", "b"}},
		{[]string{"p/[^]", "p/[!^a-]", "?"}, nil, []string{"a", "b", "p/^", "p/b"}},
		{[]string{"p"}, nil, nil},
		{[]string{".", "../x", "p/../a"}, nil, []string{"a"}},
	} {
		var got []string
		for _, name := range request(t, projectSpec, ofWorkspace(tt.members, tt.excluded, tree...)).ProjectFiles {
			if dir, ok := strings.CutSuffix(name, "/pyproject.toml"); ok {
				got = append(got, dir)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q without %q: got %q, want %q", tt.members, tt.excluded, got, tt.want)
		}
	}
}

// A project has the uv.lock of the workspace that it is a member of, or its own.
func TestTheLockOfAMemberOrItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name              string
		members, excluded []string
		between           string // text of p/pyproject.toml
		own               string // more of its own
		want              string
	}{
		{"member", []string{"p/*"}, nil, "", "", "uv.lock"},
		{"deep", []string{"**/a"}, nil, "", "", "uv.lock"},
		{"excluded", []string{"p/*"}, []string{"p/a"}, "", "", "p/a/uv.lock"},
		{"excluded with others", []string{"p/*"}, []string{"p*"}, "", "", "p/a/uv.lock"},
		{"a * that crosses", []string{"*"}, nil, "", "", "uv.lock"},
		{"another project between", []string{"**"}, nil, "[project]\n", "", "p/a/uv.lock"},
		{"another workspace between", []string{"**"}, nil, "[tool.uv.workspace]\nmembers = ['a']\n", "", "p/uv.lock"},
		{"a workspace of its own", []string{"p/*"}, nil, "", "[tool.uv.workspace]\n", "p/a/uv.lock"},
	} {
		files := ofWorkspace(tt.members, tt.excluded, "p/a")
		files["p/a/pyproject.toml"] += tt.own
		files["p/a/uv.lock"] = ""
		if tt.between != "" {
			files["p/pyproject.toml"], files["p/uv.lock"] = tt.between, ""
		}
		got := request(t, strings.Replace(projectSpec, `"."`, `"p/a"`, 1), files).ProjectFiles
		if last := got[len(got)-1]; last != tt.want {
			t.Errorf("%s: its lock is %s of %q, want %s", tt.name, last, got, tt.want)
		}
	}
}

// The table of uv of a source above a project has no indexes for the project.
func TestSourceAboveAProject(t *testing.T) {
	uses := request(t, strings.Replace(projectSpec, `"."`, `"app"`, 1), map[string]string{
		"pyproject.toml":     "[project]\nname = \"lib\"\n[tool.uv]\nindex-url = \"https://above.example/simple\"\n",
		"app/pyproject.toml": "[project]\nname = \"app\"\n[tool.uv]\nextra-index-url = [\"https://own.example/simple\"]\n[tool.uv.sources]\nlib = { path = \"..\" }\n",
	}).Uses
	if want := []string{"https://own.example/simple"}; uses.Default || !slices.Equal(uses.URLs, want) {
		t.Errorf("its indexes are %q, with a default one: %v; want %q", uses.URLs, uses.Default, want)
	}
}

// A source in another workspace has requirements from there.
func TestSourcesInAWorkspace(t *testing.T) {
	got := request(t, strings.Replace(projectSpec, `"."`, `"app"`, 1), map[string]string{
		"app/pyproject.toml":  "[project]\nname = \"x\"\n[tool.uv.sources]\na = { path = \"../libs/a\" }\n",
		"libs/pyproject.toml": "[tool.uv.workspace]\nmembers = [\"*\"]\n", "libs/uv.lock": "",
		"libs/a/pyproject.toml": "[project]\n", "libs/b/pyproject.toml": "[project]\n",
	}).ProjectFiles
	want := []string{"app/pyproject.toml", "libs/a/pyproject.toml", "libs/pyproject.toml", "libs/b/pyproject.toml"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A uv.toml has the settings of a project, or the table of uv of a pyproject.toml above it,
// whichever is nearest, unless it has such a table itself.
func TestSettingsOfAProject(t *testing.T) {
	const text = "find-links = [\"wheels\"]\noverride-dependencies = [\"numpy==2\", \"r @ git+https://g.example/r\"]\n"
	ofA := strings.Replace(projectSpec, `"."`, `"p/a"`, 1)
	for _, tt := range []struct {
		name, settings string // the settings' file
		own            string // more of p/a/pyproject.toml
		want           []string
	}{
		{"its own", "p/a/uv.toml", "[tool.uv]\n", []string{"p/a/wheels/a.whl", "p/a/uv.toml"}},
		{"above", "uv.toml", "", []string{"wheels/a.whl", "uv.toml"}},
		{"above a table", "uv.toml", "[tool.uv]\npackage = false\n", nil},
		{"table above", "p/pyproject.toml", "", []string{"p/wheels/a.whl", "p/pyproject.toml"}},
		{"table above another", "p/pyproject.toml", "[tool.uv]\npackage = false\n", nil},
		{"elsewhere", "p/b/uv.toml", "", nil},
	} {
		name, table := tt.settings, ""
		if path.Base(name) == "pyproject.toml" {
			table = "[tool.uv.sources]\nsix = { path = \"wheels\" }\n[tool.uv]\n"
		}
		files := map[string]string{
			"p/a/pyproject.toml": "[project]\nname = \"x\"\ndependencies = [\"numpy<2\", \"six\"]\n" + tt.own, "p/a/uv.lock": "", name: table + text,
			path.Join(path.Dir(name), "wheels/a.whl"): "", path.Join(path.Dir(name), "wheels/b"): "",
		}
		got := request(t, ofA, files)
		want := slices.Concat([]string{"p/a/pyproject.toml"}, tt.want, []string{"p/a/uv.lock"})
		if diff := cmp.Diff(want, got.ProjectFiles); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		counts := tt.want != nil
		if declared := len(got.Declared); counts != (declared == 1) {
			t.Errorf("%s: %d declared requirements", tt.name, declared)
		}
		if git := strings.Contains(builders(t, ofA, files)["builder"], " git "); git != counts {
			t.Errorf("%s: git in the builder: %v", tt.name, git)
		}
		if overridden := len(read(t, ofA, files).Decided[spec.Production].Overridden); counts != (overridden == 2) {
			t.Errorf("%s: %d overridden projects", tt.name, overridden)
		}
		before := lines(t, ofA, files)
		files[name] += "exclude-newer = \"2026-01-01\"\n"
		if same := slices.Equal(before, lines(t, ofA, files)); same == counts {
			t.Errorf("%s: the same requirements with other settings: %v", tt.name, same)
		}
	}
	for content, want := range map[string]string{
		"a = \n": "uv.toml:1: toml: ",
		"[[index]]\nurl = \"https://me:pw@i.example\"\n": "uv.toml:2: an address at i.example contains",
		"find-links = [\"../x\"]\n":                      `uv.toml: index "../x": `,
	} {
		err := problem(t, projectSpec, map[string]string{"pyproject.toml": pyprojectText, "uv.toml": content})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
