package requirements_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/spec"
)

// counted counts how often each file is opened.
type counted struct {
	fstest.MapFS

	opened map[string]int
}

func (c counted) Open(name string) (fs.File, error) {
	c.opened[name]++
	return c.MapFS.Open(name)
}

func (c counted) ReadFile(name string) ([]byte, error) {
	c.opened[name]++
	return c.MapFS.ReadFile(name)
}

// A file is read once, however many uses and variants share it.
func TestFilesAreReadOnce(t *testing.T) {
	for name, text := range map[string]string{
		"requirement files": "requirements = [\"r.txt\", \"more.txt\"]\nconstraints = [\"c.txt\"]\nsources = [\"tree\"]\n",
		"project":           "project = \"packages/one\"\n",
		"lock":              "lock = \"pylock.toml\"\n",
	} {
		content := workspace()
		content["r.txt"], content["more.txt"], content["c.txt"] = "-r more.txt\n-i https://me:${TOKEN}@i.example/simple\na\n", "b\n", "a<2\n"
		content["tree/pyproject.toml"], content["pylock.toml"] = "[project]\n", "lock-version = \"1.0\"\n"
		content["packages/one/pyproject.toml"] += "[project]\nname = \"one\"\n"
		root := counted{tree(content).(fstest.MapFS), map[string]int{}}
		spec := "name = \"x\"\n[python]\n" + text + "[variant.other]\nweights = \"none\"\n[variant.more]\nextra-packages = [\"less\"]\n"
		if _, err := requirements.Read(parse(t, spec), root, func(string) string { return "x" }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for file, times := range root.opened {
			if _, regular := content[file]; regular && times > 1 {
				t.Errorf("%s: %s is read %d times", name, file, times)
			}
		}
		if len(root.opened) == 0 {
			t.Errorf("%s: nothing is read", name)
		}
	}
}

// Problems of the spec, its requirement files and its project files are reported together.
func TestProblemsOfAllFiles(t *testing.T) {
	const text = `name = "x"
[[debian.repository]]
name = "tools"
url = "https://deb.example/tools"
suite = "stable"
key = "tools.asc"
[python]
requirements = ["r.txt"]
sources = ["tree"]
overrides = ["a", "x @ ./a.whl",
  "b @ https://me:secret@f.example/b.zip"]
[python.build-requires]
Own_Name = ["wheel>=1 --pre"]
[variant.locked.python]
requirements = []
sources = []
overrides = []
lock = "pylock.toml"
`
	err := problem(t, text, map[string]string{
		"tools.asc": "", "r.txt": "a b\n", "tree/pyproject.toml": "[tool", "pylock.toml": "\n]\n",
	})
	if err == nil {
		t.Fatal("no problem")
	}
	want := []string{
		`reading the key of repository "tools": "tools.asc" is empty`,
		"tree/pyproject.toml:1: toml: ",
		`image.toml:10:19: overrides: "a.whl" does not exist`,
		`image.toml:11:3: overrides: "https://…" is not a valid https://, http://, git+https:// or git+ssh:// URL`,
		`image.toml:13:13: own-name: "wheel>=1 --pre" is not a name or NAME @ URL alone`,
		`r.txt:1: "a b" is not a requirement: NAME[EXTRAS]==VERSION, NAME @ URL, or the ./PATH of an archive`,
		"pylock.toml:2: toml: ",
		`image.toml:13:13: own-name: "wheel>=1 --pre" is not a name or NAME @ URL alone`,
	}
	got := strings.Split(err.Error(), "\n")
	for i, line := range got {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("problem %d is %s", i, line)
		}
	}
	if len(got) != len(want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %d problems, want %d:\n%v", len(got), len(want), err)
	}
}

// Logins are returned separately, and change no requirement.
func TestLoginsOfRequirementFiles(t *testing.T) {
	const text = "name = \"x\"\n[python]\nrequirements = [\"r.txt\"]\n"
	content := map[string]string{"r.txt": "-i https://me:${TOKEN}@i.example/simple\n-f https://${NONE}@l.example/x\na\n"}
	w, err := requirements.Read(parse(t, text), tree(content), func(name string) string { return map[string]string{"TOKEN": "t"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	set := w.Python[0].Files
	if diff := cmp.Diff(map[string]userinfo.Login{"i.example": {User: "me", Password: "t"}}, set.Logins); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(set.Unset) != 1 || set.Unset[0].Host != "l.example" || failure.KindOf(set.Unset[0].Err) != failure.Usage {
		t.Errorf("unset: %v", set.Unset)
	}
	if diff := cmp.Diff(read(t, text, content).Lock, w.Lock); diff != "" {
		t.Errorf("without an environment (-without +with):\n%s", diff)
	}
}

// Paths in a project must be in the directory of the spec.
func TestPathsThatLeave(t *testing.T) {
	for below, want := range map[string]string{
		"../a":     `"../a" leads out of the directory of image.toml`,
		`a\\b`:     `"a\\b" holds a backslash, paths are written with /`,
		`a\u0007b`: `"a\ab" holds a control character`,
		"..":       `".." leads out of the directory of image.toml`,
	} {
		err := problem(t, projectSpec, map[string]string{"pyproject.toml": "[project]\n[tool.uv]\nfind-links = [\"" + below + "\"]\n"})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", below, err, want)
		}
	}
}

// Whatever a project's files contain, nothing panics, and no path outside is passed on.
func FuzzProject(f *testing.F) {
	for _, text := range workspace() {
		f.Add(text, "version = 1\n")
	}
	f.Add("[tool.uv]\nsources = 1\nindex = [1, {url = 2}]\nfind-links = {}\nworkspace = []\n", "source = { git = \"x\" }")
	f.Add("[project]\ndynamic = [1, \"dependencies\", {}]\n[tool.uv.workspace]\nmembers = [\"\", 3, \"**\"]\n", "")
	f.Fuzz(func(t *testing.T, pyproject, lock string) {
		file, err := spec.Parse("image.toml", []byte(projectSpec))
		if err != nil {
			t.Fatal(err)
		}
		w, err := requirements.Read(file, tree(map[string]string{"pyproject.toml": pyproject, "uv.lock": lock, "m/pyproject.toml": "[project]\n"}), nil)
		if err != nil {
			return
		}
		for _, name := range w.Python[0].ProjectFiles {
			if !fs.ValidPath(name) {
				t.Errorf("%q leaves the directory", name)
			}
		}
	})
}
