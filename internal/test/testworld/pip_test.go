package testworld_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

// pip runs the pip of this machine with nothing of this machine's settings.
func pip(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("pip takes seconds, skipped by -short")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	args = append([]string{"-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir"}, args...)
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Env = append(os.Environ(), "PIP_CONFIG_FILE=/dev/null", "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "No module named pip") {
		t.Skip("python3 has no pip here")
	}
	return string(out), err
}

// need looks for files below a directory.
func need(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestPipInstalls(t *testing.T) {
	t.Parallel()
	password := testworld.IndexOptions{User: "me", Password: "p:w/@"}
	whole, elsewhere := password, password
	whole.JSON, whole.Relative, whole.Metadata = true, true, true
	elsewhere.RedirectFiles, elsewhere.Metadata = true, true
	for name, o := range map[string]testworld.IndexOptions{"json": whole, "redirect": elsewhere} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := testworld.Wheel{ // pip 23.0 wants the name that the metadata has
				Name: "app", Requires: []string{"Demo.Pkg>=0.5"}, Size: 1 << 20, Scripts: map[string]string{"app": "app:main"},
				Data: map[string]string{"purelib/more.py": "", "data/share/x": "x"},
			}
			x := testworld.New(t).Index(o, demo(), testworld.Wheel{Name: "demo-pkg", Version: "9", RequiresPython: ">=4"}, app)
			dir := t.TempDir()
			out, err := pip(t, "install", "--no-compile", "--target", dir, "--index-url", x.Login(x.URL), "app")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			need(t, dir, "Demo_Pkg/__init__.py", "Demo_Pkg-1.0+cu1.dist-info/RECORD", "app/blob.bin", "bin/app", "more.py", "share/x")
			if n := x.Files.Credentials("/**"); o.RedirectFiles && n != 0 {
				t.Errorf("the password came to another host %d times", n)
			}
		})
	}
}

func TestPipBuildsFromOnePage(t *testing.T) {
	t.Parallel()
	x := testworld.New(t).Index(
		testworld.IndexOptions{}, testworld.Backend(), testworld.Wheel{Name: "fast", Version: "2", Yanked: "bad"}, testworld.Sdist{
			Name: "fast", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend",
		},
	)
	dir := t.TempDir()
	out, err := pip(t, "install", "--no-compile", "--target", dir, "--no-index", "--find-links", x.FindLinks(), "fast")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	need(t, dir, "fast.py", "fast-1.0.dist-info/RECORD")
}

func TestTheBackendBuilds(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	dir := t.TempDir()
	wheel, _ := members(t, testworld.Backend().Bytes(t))
	writeFiles(t, dir, wheel)
	writeFiles(t, dir, untar(t, testworld.Sdist{Name: "fast", Files: map[string]string{"build-requires.txt": "a b"}}.Bytes(t)))
	cmd := exec.CommandContext(t.Context(), python, "-c", "import os, sys; sys.path.insert(0, '..'); import worldbackend as w; "+
		"print(w.get_requires_for_build_wheel(), w.prepare_metadata_for_build_wheel(os.mkdir('m') or 'm'), w.build_wheel('.'))")
	cmd.Dir = filepath.Join(dir, "fast-1.0")
	out, err := cmd.CombinedOutput()
	if want := "['a', 'b'] fast-1.0.dist-info fast-1.0-py3-none-any.whl\n"; err != nil || string(out) != want {
		t.Fatalf("got %v, %q, want %q", err, out, want)
	}
	files, _ := members(t, []byte(readFile(t, filepath.Join(cmd.Dir, "fast-1.0-py3-none-any.whl"))))
	checkRecord(t, files, "fast-1.0.dist-info/RECORD")
}

// TestSetuptoolsReadsTheSdists holds the setup.py against its program.
func TestSetuptoolsReadsTheSdists(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	dir := t.TempDir()
	s := testworld.Sdist{
		Name: "old-demo", Requires: []string{"six>=1"}, RequiresPython: ">=3.8",
		Files: map[string]string{"extra/__init__.py": ""},
	}
	writeFiles(t, dir, untar(t, s.Bytes(t)))
	cmd := exec.CommandContext(t.Context(), python, "setup.py", "build", "egg_info")
	cmd.Dir = filepath.Join(dir, "old_demo-1.0")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "No module named 'setuptools'") {
		t.Skip("python3 has no setuptools here")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	need(t, cmd.Dir, "build/lib/old_demo.py", "build/lib/extra/__init__.py")
	requires, err := os.ReadFile(filepath.Join(cmd.Dir, "old_demo.egg-info/requires.txt"))
	if err != nil || string(requires) != "six>=1\n" {
		t.Errorf("got %q, %v", requires, err)
	}
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
