package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/spec"
)

const files = `name = "x"
[debian]
packages = ["python3", "python3-numpy"]
[[debian.repository]]
name = "tools"
url = "https://deb.example/tools/"
suite = "stable"
key = "keys/tools.asc"
[builder]
packages = ["g++", "binutils"]
[python]
sources = ["native", "lib"]
[app]
source = "app"
[[model]]
from = "dir:weights"
path = "/m"
`

// tree makes a directory with the given files; a name that ends in / makes a directory,
// content that starts with -> a symbolic link.
func tree(t *testing.T, content map[string]string) *os.Root {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x")
	for name, text := range content {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, at)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(at, 0o755)
		} else {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func good() map[string]string {
	return map[string]string{
		"keys/tools.asc": "key", "native/pyproject.toml": "", "lib/setup.py": "", "app/main.py": "", "weights/a": "",
	}
}

func TestCheckFiles(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change map[string]string // "" removes a good file
		want   []string
	}{
		{"all there", nil, nil},
		{"links that stay inside", map[string]string{"app/main.py": "", "app": "-> lib"}, nil},
		{"nothing there", map[string]string{
			"keys/tools.asc": "", "native/pyproject.toml": "", "lib/setup.py": "", "app/main.py": "", "weights/a": "", "y": "y",
		}, []string{
			`image.toml:8:7: key: "keys/tools.asc" does not exist`,
			`image.toml:12:12: sources: "native" does not exist`,
			`image.toml:12:22: sources: "lib" does not exist`,
			`image.toml:14:10: source: "app" does not exist`,
			`image.toml:16:8: from: "weights" does not exist`,
		}},
		{"wrong kinds", map[string]string{
			"keys/tools.asc": "", "keys/tools.asc/": "dir", "native/pyproject.toml": "", "native/x": "y",
			"app/main.py": "", "app": "file", "weights/a": "", "weights": "file", "lib/setup.py": "", "lib/setup.py/": "dir",
		}, []string{
			`image.toml:8:7: key: "keys/tools.asc" is a directory, want a file`,
			`image.toml:12:12: sources: "native" holds neither pyproject.toml nor setup.py`,
			`image.toml:12:22: sources: "lib" holds neither pyproject.toml nor setup.py`,
			`image.toml:14:10: source: "app" is a file, want a directory`,
			`image.toml:16:8: from: "weights" is a file, want a directory`,
		}},
		{"links that leave", map[string]string{
			"keys/tools.asc": "-> /etc/passwd", "app/main.py": "", "app": "-> ../..", "weights/a": "", "weights": "-> loop",
			"loop": "-> weights",
		}, []string{
			`image.toml:8:7: key: using "keys/tools.asc": path escapes from parent`,
			`image.toml:14:10: source: using "app": path escapes from parent`,
			`image.toml:16:8: from: using "weights": too many levels of symbolic links`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := good()
			for name, text := range tt.change {
				content[name] = text
				if text == "" {
					delete(content, name)
				}
			}
			err := parse(t, files).CheckFiles(tree(t, content).FS())
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if err != nil && failure.KindOf(err) != failure.Usage {
				t.Errorf("kind %d, want usage", failure.KindOf(err))
			}
		})
	}
}

// If no variant bakes the weights, their directory isn't required.
func TestCheckFilesOfWeightsThatNobodyBakes(t *testing.T) {
	content := good()
	delete(content, "weights/a")
	var text strings.Builder
	text.WriteString(files)
	for _, name := range []string{"production", "debug"} {
		text.WriteString("[variant." + name + "]\nweights = \"none\"\n")
	}
	if err := parse(t, text.String()).CheckFiles(tree(t, content).FS()); err != nil {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	root := tree(t, map[string]string{"image.toml": `name = "y"`, "bad/image.toml": "nome = 1", "dir/image.toml/": "dir"})
	f, err := spec.Read(root.FS(), root.Name())
	if err != nil || variant(t, f, spec.Production).Name != "y" {
		t.Fatalf("%v, %v", f, err)
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"missing", "none", `reading spec "DIR/none/image.toml": no such file or directory`},
		{"directory", "dir", `reading spec "DIR/dir/image.toml": is a directory`},
		{"bad", "bad", `DIR/bad/image.toml:1:1: name is missing, write name = "…" at the top` + "\n" +
			`DIR/bad/image.toml:1:1: unknown key "nome", did you mean "name"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := spec.Read(os.DirFS(filepath.Join(root.Name(), tt.dir)), filepath.Join(root.Name(), tt.dir))
			if err == nil {
				t.Fatal("no problem")
			}
			if got := strings.ReplaceAll(err.Error(), root.Name(), "DIR"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if failure.KindOf(err) != failure.Usage {
				t.Errorf("kind %d, want usage", failure.KindOf(err))
			}
			if hints := failure.Hints(err); (tt.name == "missing") != (len(hints) == 1) {
				t.Errorf("hints %q", hints)
			}
		})
	}
}

func TestCheckFilesOfAProject(t *testing.T) {
	const ofProject = "name = \"x\"\n[python]\nproject = \".\"\n"
	err := parse(t, ofProject).CheckFiles(tree(t, map[string]string{"a": ""}).FS())
	if want := `image.toml:3:11: project: "." holds no pyproject.toml`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := parse(t, ofProject).CheckFiles(tree(t, map[string]string{"pyproject.toml": ""}).FS()); err != nil {
		t.Error(err)
	}
}

func TestSourceName(t *testing.T) {
	p := spec.Python{Sources: []string{".", "My_Ext", "a/lib", "b/Lib", "deep/down"}}
	for dir, want := range map[string]string{".": "this-directory", "My_Ext": "my-ext", "a/lib": "a-lib", "b/Lib": "b-lib", "deep/down": "down"} {
		if got := p.SourceName(dir); got != want {
			t.Errorf("%q is called %q, want %q", dir, got, want)
		}
	}
}
