package wheels

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// The error for a bad wheel names it, and there is no image.
func TestRealEvilWheels(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wheel testworld.Wheel
		says  string
	}{
		"path that leaves": {testworld.Wheel{Extra: []testworld.Entry{{Name: "../../evil", Mode: 0o644, Content: "x"}}}, "../../evil"},
		"absolute path":    {testworld.Wheel{Extra: []testworld.Entry{{Name: "/etc/evil", Mode: 0o644, Content: "x"}}}, "/etc/evil"},
		"symlink":          {testworld.Wheel{Extra: []testworld.Entry{{Name: "evil/link", Mode: fs.ModeSymlink | 0o777, Content: "/etc"}}}, "evil/link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := e2etest.NewUser(t)
			tt.wheel.Name, tt.wheel.Version = "evil", "1.0"
			x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true}, tt.wheel)
			dir := e2etest.Needs(t, "--index-url "+x.URL, "evil")
			r := u.Run(t, dir, "--progress", "quiet", "--smoke", "off")
			if r.Code == 0 || !strings.Contains(r.Stderr, "evil-1.0-py3-none-any.whl") || !strings.Contains(r.Stderr, tt.says) {
				t.Errorf("exit code %d\n%s", r.Code, e2etest.Tail(r.Stderr))
			}
			u.HasNoImage(t)
		})
	}
}

// A RECORD that uv and pip accept is accepted, and is right in the image, where the distributions are checked.
func TestRealSloppyRecord(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true}, testworld.Wheel{
		Name: "sloppy", Version: "1.0", Files: map[string]string{"sloppy/__init__.py": "", "sloppy/more.py": "x = 1\n"},
		Record: func(lines []string) []string { return append(lines[1:], "sloppy/gone.py,sha256=x,7") },
	})
	u.Build(t, e2etest.Needs(t, "--index-url "+x.URL, "sloppy"))
	files := strings.Join(e2etest.Site(t, u), "\n")
	for _, want := range []string{"sloppy/more.py", "sloppy/__pycache__/more.cpython-311.pyc"} {
		if !strings.Contains(files, want) {
			t.Errorf("the image has no %s:\n%s", want, files)
		}
	}
}

// pip accepts names in odd case, too.
func TestRealOddNames(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{}, testworld.Wheel{Name: "Odd.Name", Version: "1.0", DistInfo: "odd_NAME-1.0.dist-info", Files: map[string]string{"oddname.py": ""}})
	u.Build(t, e2etest.Needs(t, "--index-url "+x.URL, "odd-name"))
	if files := strings.Join(e2etest.Site(t, u), "\n"); !strings.Contains(files, "oddname.py") {
		t.Errorf("the image has\n%s", files)
	}
}

// A wheel that its index has dropped, altered or hides is reported as such, not as a wrong digest.
func TestRealFetchingFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault testworld.Fault
		code  int
		says  string
	}{
		"vanished":     {testworld.Status(http.StatusNotFound, testworld.Always), 1, "the server no longer has it (404)"},
		"hidden":       {testworld.Status(http.StatusUnauthorized, testworld.Always), 2, "it requires a login, but none was sent"},
		"down":         {testworld.Status(http.StatusServiceUnavailable, testworld.Always), 75, "the server answers 503"},
		"other bytes":  {testworld.Wrong(testworld.Always), 1, "the content differs from the lock"},
		"down at once": {testworld.Status(http.StatusServiceUnavailable, 1), 0, "trying again"},
		"cut":          {testworld.Cut(testworld.Always), 75, "trying again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, w := e2etest.NewUser(t), testworld.New(t)
			// New content, which has never been fetched.
			x := w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "fresh", Version: "1.0", Files: map[string]string{"fresh.py": "# " + time.Now().String()}})
			dir := e2etest.Needs(t, "--index-url "+x.URL, "fresh")
			u.Build(t, "lock", dir)
			w.Fail("/simple-files/**", tt.fault)
			u.Fails(t, tt.code, []string{"fresh 1.0", tt.says}, dir, "--progress", "plain", "--smoke", "off")
			if tt.code != 0 {
				u.HasNoImage(t)
			}
		})
	}
}

// brokenSdist is an sdist whose setup.py does something at its build, and only then.
func brokenSdist(does string) testworld.Sdist {
	return testworld.Sdist{Name: "gamma", Version: "1.0", BuildRequires: []string{"setuptools", "wheel"}, Backend: "setuptools.build_meta", Files: map[string]string{
		"setup.py": "import sys\nfrom setuptools import Extension, setup\nif 'bdist_wheel' in sys.argv:\n    " + does + "\n" +
			"setup(name='gamma', version='1.0', py_modules=['gamma'], ext_modules=[Extension('gamma_c', ['gamma.c'])] if 'bdist_wheel' in sys.argv else [])\n",
		"gamma.py": "", "gamma.c": "#include <Python.h>\nnonsense\n",
	}}
}

func TestRealSdistThatCanNotBeBuilt(t *testing.T) {
	t.Parallel()
	tools := e2etest.SetupTools(t)
	for name, tt := range map[string]struct {
		does string
		says []string
	}{
		"network":  {"import urllib.request; urllib.request.urlopen('http://pypi.example/')", []string{"gamma 1.0: compile", "hint: builds have no network"}},
		"module":   {"import nothing_such", []string{"No module named 'nothing_such'", "hint: ", "[python.build-requires]"}},
		"version":  {"real = setup; setup = lambda **_: real(name='gamma', version='0+unknown', py_modules=['gamma'])", []string{"gamma 1.0 is locked, but its build made gamma 0+unknown"}},
		"compiler": {"pass", []string{"gamma 1.0: compile", "hint: the builder has no C compiler: add g++ and python3-dev to [builder] packages"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := e2etest.NewUser(t)
			x := testworld.New(t).Index(testworld.IndexOptions{}, append(slices.Clip(tools), brokenSdist(tt.does))...)
			u.Fails(t, 1, tt.says, e2etest.Needs(t, "--index-url "+x.URL, "gamma"), "--progress", "quiet")
			u.HasNoImage(t)
		})
	}
}

// Optional packages are left out, and every build reports it, even one from the cache.
func TestRealOptional(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := testworld.New(t).Index(testworld.IndexOptions{}, append(e2etest.SetupTools(t), brokenSdist("raise SystemExit('no')"), testworld.Wheel{Name: "alpha"})...)
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\noptional = [\"gamma\", \"Nowhere\"]\n[smoke]\nimports = [\"alpha\"]\n",
		map[string]string{"requirements.txt": "--index-url " + x.URL + "\nalpha\ngamma\nnowhere>=3\n"})
	for range 2 {
		r := u.Build(t, dir)
		for _, want := range []string{"left out, since it is optional:", "  nowhere: ", "  gamma 1.0: it could not be built"} {
			if !strings.Contains(r.Stdout, want) {
				t.Errorf("the summary does not have %q:\n%s", want, r.Stdout)
			}
		}
	}
	e2etest.Verify(t, u)
	for _, file := range e2etest.Site(t, u) {
		if strings.Contains(file, "gamma") {
			t.Errorf("the image has %s", file)
		}
	}
}

// Packages' requirements are checked in the image, however they were resolved.
func TestRealUnmetRequirementHoldsTheImageBack(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha")
	u.Build(t, "lock", "--export", filepath.Join(dir, "pylock.toml"), dir)
	text, err := os.ReadFile(filepath.Join(dir, "pylock.toml"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "[[packages]]")
	without := e2etest.PythonProject(t, "[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": blocks[0] + "[[packages]]" + blocks[1]})
	u.Fails(t, 1, []string{"smoke: requirements of all Python packages", "alpha 1.0 needs beta>=2, which is not installed", "hint: to accept it, set overrides = "}, without, "--progress", "quiet")
	u.HasNoImage(t)
	e2etest.Edit(t, filepath.Join(without, "image.toml"), "[python]", "[python]\nexcludes = [\"beta\"]")
	u.Build(t, "--relock", without)
}

func TestRealImageNeedsAPython(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha")
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `["python3"]`, `["bash"]`)
	u.Fails(t, 2, []string{"python: the image has no Python to run these packages", "hint: add python3 to [debian] packages"}, "lock", dir)
}
