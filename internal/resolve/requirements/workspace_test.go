package requirements_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
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
