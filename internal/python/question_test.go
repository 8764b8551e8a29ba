package python_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/fault"
	"lamina.build/internal/python"
	"lamina.build/internal/requirements"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	sam    = "git+https://g.example/sam.git@" + commit
)

// words is what a question says under some keys.
func words(t *testing.T, r python.Request, keys ...string) map[string]any {
	t.Helper()
	text, err := r.Question("https://own.example/simple")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	some := map[string]any{}
	for _, key := range keys {
		some[key] = all[key]
	}
	return some
}

// wishes reads requirements, and constraints where a line begins with "-c ".
func wishes(t *testing.T, lines ...string) requirements.Set {
	t.Helper()
	var files [2]string
	for _, line := range lines {
		constraint, is := strings.CutPrefix(line, "-c ")
		if is {
			files[1] += constraint + "\n"
		} else {
			files[0] += line + "\n"
		}
	}
	set, err := requirements.Read(requirements.Options{
		FS: fstest.MapFS{
			"r.txt": {Data: []byte(files[0])}, "c.txt": {Data: []byte(files[1])},
			"dist/geo-1.0.tar.gz": {}, "wheels/torch_geo-2.6+cu1-py3-none-any.whl": {}, "a./geo.zip": {},
		},
		Requirements: []string{"r.txt"}, Constraints: []string{"c.txt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestLinesAreThoseThatPipCanFollow(t *testing.T) {
	for line, want := range map[string]string{
		"numpy<2": "numpy<2",
		"numpy==2 --hash=sha256:" + strings.Repeat("0", 64):    "numpy==2 --hash=sha256:" + strings.Repeat("0", 64),
		"torch @ https://f.example/torch-2.6-py3-none-any.whl": "torch @ https://f.example/torch-2.6-py3-none-any.whl",
		"sam2 @ " + sam: "sam2 @ file:///tmp/trees/0/sam2",
		"sam2[all,Dev] @ " + sam + "#subdirectory=py/sam ; python_version > '3'": `sam2[all,Dev] @ file:///tmp/trees/0/sam2/py/sam ; python_version > '3'`,
		"./wheels/torch_geo-2.6+cu1-py3-none-any.whl[x] ; python_version > '3'":  `/.lamina/project/wheels/torch_geo-2.6+cu1-py3-none-any.whl[x] ; python_version > '3'`,
		"./dist/geo-1.0.tar.gz": "/.lamina/project/dist/geo-1.0.tar.gz",
		"./a./geo.zip":          "/.lamina/project/a./geo.zip",
	} {
		got := words(t, python.Request{Files: wishes(t, line)}, "requirements")["requirements"].([]any)
		if text := got[0].(map[string]any)["line"]; len(got) != 1 || text != want {
			t.Errorf("%q is %q, want %q", line, text, want)
		}
	}
}

func TestPathsWithAName(t *testing.T) {
	set := requirements.Set{Requirements: []requirements.Requirement{{Name: "geo", Kind: requirements.Path, Line: "geo[x] @ ./a./geo.zip ; python_version > \"3\""}}}
	got := words(t, python.Request{Files: set}, "requirements")
	want := map[string]any{"requirements": []any{map[string]any{"name": "geo", "line": "geo[x] @ file:///.lamina/project/a./geo.zip ; python_version > \"3\""}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

// pip is given trees, which Lamina fetches by their commit.
func TestRepositoriesThatPipCanNotHave(t *testing.T) {
	_, err := python.Request{Files: wishes(
		t, "a @ git+https://g.example/a@main", "b @ git+https://g.example/b", "git+https://g.example/c@"+commit, "d @ git+ssh://git@g.example/d@"+commit,
	)}.Question("")
	want := "r.txt:1: git+https://g.example/a is not pinned to a commit; write @<40 hexadecimal digits>\n" +
		"r.txt:2: git+https://g.example/b is not pinned to a commit; write @<40 hexadecimal digits>\n" +
		"r.txt:3: git+https://g.example/c has no name: write NAME @ before it\n" +
		"r.txt:4: git+ssh://git@g.example/d can't be used: git over ssh needs a key, write git+https://"
	if err == nil || err.Error() != want || fault.KindOf(err) != fault.Usage {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTrees(t *testing.T) {
	r := python.Request{Files: wishes(
		t, "sam2 @ "+sam+" ; python_version < '3.9'", "sam2[x] @ "+sam+"#subdirectory=new ; python_version >= '3.9'",
		"-c sam2 @ "+sam+"#subdirectory=new", "-c other @ "+sam, "-c numpy<2",
	)}
	got := words(t, r, "git", "constraints")
	tree := func(name, number, url, below string) any {
		return map[string]any{"name": name, "url": url, "path": "/.lamina/git/" + number, "subdirectory": below}
	}
	want := map[string]any{
		"git":         []any{tree("sam2", "0", sam, ""), tree("sam2", "1", sam+"#subdirectory=new", "new"), tree("other", "2", sam, "")},
		"constraints": []any{"sam2 @ file:///tmp/trees/1/sam2/new", "other @ file:///tmp/trees/2/other", "numpy<2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

func TestIndexesAndLinks(t *testing.T) {
	bound := []python.Index{{Name: "torch", URL: "https://t.example/whl", Packages: []string{"torch"}}, {Name: "all", URL: "https://a.example"}}
	index := func(name, url string, packages ...any) any {
		return map[string]any{"name": name, "url": url, "packages": append([]any{}, packages...)}
	}
	torch, all := index("torch", "https://t.example/whl", "torch"), index("all", "https://a.example")
	tests := []struct {
		name  string
		lines []string
		own   []python.Index
		want  []any
	}{
		{"the default one", nil, nil, []any{index("https://own.example/simple", "https://own.example/simple")}},
		{"bound ones come last", nil, bound, []any{index("https://own.example/simple", "https://own.example/simple"), torch, all}},
		{
			"those of the files",
			[]string{"-i https://i.example", "--extra-index-url https://e.example", "--extra-index-url https://f.example"},
			bound,
			[]any{index("https://i.example", "https://i.example"), index("https://e.example", "https://e.example"), index("https://f.example", "https://f.example"), torch, all},
		},
		{"none", []string{"--no-index"}, nil, []any{}},
		{"only bound ones", []string{"--no-index"}, bound, []any{torch, all}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := words(t, python.Request{Files: wishes(t, tt.lines...), Indexes: tt.own}, "indexes")
			if diff := cmp.Diff(map[string]any{"indexes": tt.want}, got); diff != "" {
				t.Errorf("question (-want +got):\n%s", diff)
			}
		})
	}
	set := requirements.Set{FindLinks: []string{"https://l.example/x.html", "wheels"}}
	got := words(t, python.Request{Files: set}, "links")
	if diff := cmp.Diff(map[string]any{"links": []any{"https://l.example/x.html", "/.lamina/project/wheels"}}, got); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

// The scripts know no null.
func TestNothingIsAnEmptyList(t *testing.T) {
	text, err := python.Request{}.Question("")
	if err != nil || strings.Contains(text, "null") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestBuildRequirements(t *testing.T) {
	r := python.Request{BuildRequires: map[string][]string{"insightface": {"numpy"}, "./own": {"wheel"}}, Sources: []string{"./own", "./other"}}
	want := map[string]any{
		"build_requires": map[string]any{"insightface": []any{"numpy"}}, "sources": map[string]any{"./own": []any{"wheel"}},
	}
	if diff := cmp.Diff(want, words(t, r, "build_requires", "sources")); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

func TestPylockTrees(t *testing.T) {
	pylock := `lock-version = "1.0"
[[packages]]
name = "A_b"
vcs = { type = "git", url = "https://g.example/a.git", commit-id = "` + commit + `", subdirectory = "sub" }
[[packages]]
name = "hg"
vcs = { type = "hg", url = "https://g.example/b", commit-id = "` + commit + `" }
[[packages]]
name = "short"
vcs = { type = "git", url = "https://g.example/b", commit-id = "0123" }
[[packages]]
name = "wheel"
[[packages]]
name = "ssh"
vcs = { type = "git", url = "ssh://git@g.example/c.git", commit-id = "` + commit + `" }
`
	got := words(t, python.Request{Pylock: []byte(pylock), Files: wishes(t, "numpy")}, "pylock", "git", "requirements")
	want := map[string]any{"pylock": "pylock.toml", "requirements": []any{}, "git": []any{
		map[string]any{"name": "a-b", "url": "git+https://g.example/a.git@" + commit + "#subdirectory=sub", "path": "/.lamina/git/0", "subdirectory": "sub"},
		map[string]any{"name": "ssh", "url": "git+ssh://git@g.example/c.git@" + commit, "path": "/.lamina/git/1", "subdirectory": ""},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

func TestPylockThatIsNone(t *testing.T) {
	for text, says := range map[string]string{
		"lock-version =": "reading the pylock.toml: ",
		"[[packages]]\nname = \"a\"\nvcs = { type = \"git\", url = \"https://me:geheim@g.example/a.git\", commit-id = \"" + commit + "\" }\n": "pylock.toml: a: the address of its git tree holds a login for g.example",
	} {
		_, err := python.Request{Pylock: []byte(text)}.Question("")
		if err == nil || !strings.HasPrefix(err.Error(), says) || fault.KindOf(err) != fault.Usage || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
