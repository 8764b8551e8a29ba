package requirements_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
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

func good() map[string]string {
	return map[string]string{"keys/tools.asc": "key", "native/pyproject.toml": "", "lib/setup.py": ""}
}

// emptyPyproject is the digest of a pyproject.toml without dependencies.
const emptyPyproject = "sha256:25e89fa2efffcc52c5079cff36770f625b0d3424f4a4fd0de4aa5d6e985bbda4"

func tree(content map[string]string) fs.FS {
	root := fstest.MapFS{}
	for name, text := range content {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func parse(t *testing.T, text string) *spec.File {
	t.Helper()
	f, err := spec.Parse("image.toml", []byte(text))
	if err != nil {
		t.Fatalf("parsing:\n%s\n%v", text, err)
	}
	return f
}

func read(t *testing.T, text string, content map[string]string) requirements.Requirements {
	t.Helper()
	w, err := requirements.Read(parse(t, text), tree(content), nil)
	if err != nil {
		t.Fatalf("reading:\n%s\n%v", text, err)
	}
	return w
}

func problem(t *testing.T, text string, content map[string]string) error {
	t.Helper()
	_, err := requirements.Read(parse(t, text), tree(content), nil)
	if err != nil && failure.KindOf(err) != failure.Usage {
		t.Errorf("kind is %d: %v", failure.KindOf(err), err)
	}
	return err
}

func TestRequirements(t *testing.T) {
	const variants = `
[variant.same.debian]
packages = ["python3-numpy", "python3"]
[variant.more]
extra-packages = ["less"]
[variant.more.debian]
components = ["main", "non-free"]
packages = ["python3"]
[variant.more.python]
sources = []
`
	got := read(t, files+variants, good())
	builder := []string{
		"binutils", "g++", "python3", "python3-build", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel",
	}
	want := lock.Requirements{
		Platform:   "linux/amd64",
		Suites:     []string{"bookworm", "bookworm-updates", "bookworm-security"},
		Components: []string{"main", "non-free"},
		Repositories: []lock.Repository{{
			Name: "tools", URL: "https://deb.example/tools", Suite: "stable", Components: []string{"main"},
			Key: "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",
		}},
		Requests: []lock.Request{
			{Set: lock.ParseSet("base"), Packages: []string{"?essential", "usr-is-merged"}},
			{Set: lock.ParseSet("bootstrap"), Packages: []string{"busybox-static", "libeatmydata1"}},
			{Set: lock.ParseSet("builder"), Packages: builder},
			{Set: lock.ParseSet("builder@more"), Packages: []string{"binutils", "g++", "python3"}},
			{Set: lock.ParseSet("extra@debug"), Packages: []string{"gdb", "less", "procps", "strace", "vim-tiny"}},
			{Set: lock.ParseSet("extra@more"), Packages: []string{"less"}},
			{Set: lock.ParseSet("runtime"), Packages: []string{"python3", "python3-numpy"}},
			{Set: lock.ParseSet("runtime@more"), Packages: []string{"python3"}},
		},
		Python: []lock.PythonRequest{
			{Set: lock.ParseSet("python"), Lines: []string{"source lib/setup.py " + digest.FromString("").String(), "source native " + emptyPyproject}},
			{Set: lock.ParseSet("python@more")}, // without production's
		},
	}
	if diff := cmp.Diff(want, got.Lock); diff != "" {
		t.Errorf("requirements (-want +got):\n%s", diff)
	}
	if string(got.Keys["tools"]) != "key" {
		t.Errorf("keys %q", got.Keys)
	}
}

// A bad key of a repository is reported before locking.
func TestKeysOfRepositories(t *testing.T) {
	for _, tt := range []struct{ name, key, want string }{
		{"empty", "", `reading the key of repository "tools": "keys/tools.asc" is empty`},
		{"large", strings.Repeat("k", 1<<20+1), `reading the key of repository "tools": "keys/tools.asc" has more than 1048576 bytes`},
		{"none", "gone", `reading the key of repository "tools": open keys/tools.asc: file does not exist`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := good()
			content["keys/tools.asc"] = tt.key
			if tt.key == "gone" {
				delete(content, "keys/tools.asc")
			}
			if err := problem(t, files, content); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestRequirementsForModels(t *testing.T) {
	const text = `name = "x"
[[model]]
from = "hf://org/b@main"
path = "/b"
published = "r.example/b"
[[model]]
name = "a"
from = "hf://org/a@main"
path = "/a"
[[model]]
name = "own"
from = "dir:own"
path = "/own"
[[variant.other.model]]
from = "https://host.example/c"
path = "/c"
[[variant.more.model]]
from = "hf://org/b@main"
path = "/b"
published = "r.example/more"
`
	var got []string
	requirements := read(t, text, nil).Lock
	for _, m := range requirements.ModelRequests {
		got = append(got, m.From+" in "+strings.Join(requirements.PlacesOf(m), " or "))
	}
	if diff := cmp.Diff([]string{"hf://org/a@main in ", "hf://org/b@main in r.example/b or r.example/more", "https://host.example/c in "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Any variant may accept expired indexes; the lock doesn't record that.
func TestRequirementsOfAnArchiveOfThePast(t *testing.T) {
	t.Parallel()
	const text = "name = \"x\"\n[debian]\nsuites = []\npackages = [\"cmake/noble-backports\"]\n[[debian.repository]]\nname = \"own\"\nurl = \"https://deb.example\"\nsuite = \"/\"\nkey = \"key\"\n"
	files := map[string]string{"key": "k"}
	without, with := read(t, text, files), read(t, text+"[variant.old.debian]\ncheck-valid-until = false\n", files)
	if without.AnyAge || !with.AnyAge || len(with.Lock.Suites) > 0 || with.Lock.Repositories[0].Suite != "./" {
		t.Errorf("got %+v and %+v", without, with)
	}
	with.Lock.Requests = without.Lock.Requests
	if drift := (lock.Lock{Requirements: without.Lock}).Drift(with.Lock); len(drift) > 0 {
		t.Errorf("it drifts: %q", drift)
	}
}
