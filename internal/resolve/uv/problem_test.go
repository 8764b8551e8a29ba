package uv

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/solve"
	"lamina.build/lock"
)

// asked returns a question for problems to refer to.
func asked(t *testing.T) question {
	t.Helper()
	return Request{Set: lock.ParseSet("python"), Files: requirements(t, map[string]string{
		"requirements.txt": "torch==2.6.0\nOpenCV_Python\nflash-attn\nsam-2 @ git+https://g.example/sam\n./wheels/odd.tar.gz\n",
		"constraints.txt":  "numpy<2\ntorch<3\n", "wheels/odd.tar.gz": "",
	}), Overrides: []string{"six==1"}, Extras: []string{"GPU"}, Groups: []string{"no.pe"}, Places: map[string]string{
		"overrides six==1": "image.toml:3:14", "extras gpu": "image.toml:4:11", "groups no-pe": "image.toml:5:11",
	}}.ask(pypi, inventory{}, versions{})
}

func TestProblemsOfAnswers(t *testing.T) {
	const undeclared = "Failed to build `flash-attn==2.8`\n  cause: The build backend returned an error\n  cause: Call to `setuptools.build_meta` failed (exit status: 1)\n\n" +
		"         [stderr]\n         ModuleNotFoundError: No module named 'Cython'"
	const uvs = "\n\nhint: This error likely indicates that `flash-attn@2.8` depends on `Cython`, but doesn't declare it as a build dependency. Otherwise, either add it to your `pyproject.toml` under:\n\n" +
		"[tool.uv.extra-build-dependencies]\nflash-attn = [\"Cython\"]\n\nor `uv pip install Cython` into the environment and re-run with `--no-build-isolation`."
	hint := func(module, list string) string {
		return "its build imports " + module + ", which it doesn't declare: [python.build-requires] flash-attn = [" + list + "]"
	}
	for _, tt := range []struct {
		name    string
		problem answerProblem
		want    string
		hints   []string
	}{
		{
			"places by names",
			answerProblem{Message: "× No solution found:\n  ╰─▶ Because torch==2.6.0 depends on numpy>2 and you require opencv.python …"},
			"requirements.txt:1, requirements.txt:2, constraints.txt:1, constraints.txt:2: python: × No solution found:\n  ╰─▶ Because torch==2.6.0 depends on numpy>2 and you require opencv.python …",
			nil,
		},
		{"overrides", answerProblem{Message: "overrides require six==1, but pylock.toml has 2"}, "image.toml:3:14: python: overrides require six==1, but pylock.toml has 2", nil},
		{"extra", answerProblem{Message: "Extra `gpu` is not defined"}, "image.toml:4:11: python: Extra `gpu` is not defined", nil},
		{"extra that is not found", answerProblem{Message: "Requested extra not found: gpu"}, "image.toml:4:11: python: Requested extra not found: gpu", nil},
		{"group", answerProblem{Message: "The dependency group 'no-pe' was not found"}, "image.toml:5:11: python: The dependency group 'no-pe' was not found", nil},
		{"no extra", answerProblem{Message: "no gpu is there, nor a no-pe"}, "python: no gpu is there, nor a no-pe", nil},
		{"nobody's", answerProblem{Message: "it is dark"}, "python: it is dark", nil},
		{"of a project", answerProblem{Message: "it is dark", Project: "flash-attn"}, "requirements.txt:3: python: flash-attn: it is dark", nil},
		{"of a project that it names", answerProblem{Message: "flash-attn is dark", Project: "flash-attn"}, "requirements.txt:3: python: flash-attn is dark", nil},
		{"paths", answerProblem{Message: "file:///.lamina/project/wheels/a.whl and /.lamina/project/b.whl"}, "python: wheels/a.whl and b.whl", nil},
		{"module by uv", answerProblem{Message: undeclared}, "requirements.txt:3: python: " + undeclared, []string{hint("Cython", `"setuptools", "wheel", "cython"`)}},
		{"of uv's many words", answerProblem{Message: undeclared + uvs}, "requirements.txt:3: python: " + undeclared, []string{hint("Cython", `"setuptools", "wheel", "cython"`)}},
		{
			"what comes after these",
			answerProblem{Message: undeclared + uvs + "\nhelp: `flash-attn` was included\nhint: look"},
			"requirements.txt:3: python: " + undeclared,
			[]string{hint("Cython", `"setuptools", "wheel", "cython"`), "`flash-attn` was included", "look"},
		},
		{
			"of the form with a tree",
			answerProblem{Message: "× Failed to build `flash-attn==2.8`\n  ╰─▶ ModuleNotFoundError: No module named 'Cython'"},
			"",
			[]string{hint("Cython", `"setuptools", "wheel", "cython"`)},
		},
		{"module by a backend", answerProblem{Message: "it fails", Project: "flash-attn", Module: "packaging.version"}, "requirements.txt:3: python: flash-attn: it fails", []string{hint("packaging.version", `"setuptools", "wheel", "packaging"`)}},
		{"cv2", answerProblem{Message: "x", Project: "flash-attn", Module: "cv2"}, "", []string{hint("cv2", `"setuptools", "wheel", "opencv-python-headless"`)}},
		{"pkg_resources", answerProblem{Message: "x", Project: "flash-attn", Module: "pkg_resources"}, "", []string{hint("pkg_resources", `"setuptools<81", "wheel"`)}},
		{"yaml", answerProblem{Message: "x", Project: "flash-attn", Module: "yaml"}, "", []string{hint("yaml", `"setuptools", "wheel", "pyyaml"`)}},
		{"setuptools", answerProblem{Message: "x", Project: "flash-attn", Module: "setuptools"}, "", []string{hint("setuptools", `"setuptools", "wheel"`)}},
		{"setuptools_scm", answerProblem{Message: "x", Project: "flash-attn", Module: "setuptools_scm.git"}, "", []string{hint("setuptools_scm.git", `"setuptools", "wheel", "setuptools-scm"`)}},
		{"as it is called", answerProblem{Message: "x", Project: "flash-attn", Module: "Own_Module"}, "", []string{hint("Own_Module", `"setuptools", "wheel", "own-module"`)}},
		{
			"module of no name",
			answerProblem{Message: "ModuleNotFoundError: No module named 'numpy'"},
			"",
			[]string{`its build imports numpy, which it doesn't declare: write NAME @ in front of its address, and [python.build-requires] NAME = ["setuptools", "wheel", "numpy"]`},
		},
		{
			"address",
			answerProblem{Message: "Package `dep` was included as a URL dependency. URL dependencies must be expressed as direct requirements or constraints. Consider adding `dep @ https://x.example/dep.whl` to your dependencies or constraints file."},
			"",
			[]string{"the spec must also list what a package requires by URL: add the line dep @ https://x.example/dep.whl to a requirement file"},
		},
		{
			"addresses",
			answerProblem{Message: "Requirements contain conflicting URLs for package `Sam_2`:\n- a\n- b"},
			"requirements.txt:4: python: Requirements contain conflicting URLs for package `Sam_2`:\n- a\n- b",
			[]string{`choose one: overrides = ["sam-2 @ git+https://g.example/sam"] under [python]`},
		},
		{
			"addresses of others",
			answerProblem{Message: "Requirements contain conflicting URLs for package `x`:\n- a\n- b"},
			"",
			[]string{`choose one: overrides = ["x @ …"] under [python]`},
		},
		{"directory", answerProblem{Message: "own: it is the directory 'libs/own'", Project: "own"}, "python: own: it is the directory 'libs/own'", []string{`a directory is built as a source tree: sources = ["libs/own"] under [python]`}},
		{"stale lock", answerProblem{Message: "The lockfile at `uv.lock` needs to be updated, but `--locked` was provided."}, "", []string{`run "uv lock" to bring uv.lock up to date with its pyproject.toml`}},
		{
			"strategy",
			answerProblem{Message: "no\n\n  hint: `torch` was found on https://a.example, but not at the requested version. A compatible version may be available on a subsequent index. By default, uv will only consider versions that are published on the first index that contains a given package, to avoid dependency confusion attacks. If all indexes are equally trusted, use `--index-strategy unsafe-best-match` to consider all versions from all indexes, regardless of the order in which they were defined."},
			"requirements.txt:1, constraints.txt:2: python: no",
			[]string{`an earlier index hides versions on later ones: write index-strategy = "unsafe-best-match" under [python] to search all`},
		},
		{
			"pre-releases",
			answerProblem{Message: "no\nhint: Pre-releases are available for `torch` in the requested range, but pre-releases weren't enabled (try: `--prerelease=allow`)"},
			"",
			[]string{"to allow pre-releases, add the line --pre to a requirement file, or a requirement that names one"},
		},
		{"uv's own", answerProblem{Message: "no\n      hint: `x` has no wheels with a matching Python ABI tag\n  hint: look\n"}, "python: no", []string{"`x` has no wheels with a matching Python ABI tag", "look"}},
		{"hint with lines of its own", answerProblem{Message: "no\nhint: these are there:\n - a"}, "python: no", []string{"these are there: - a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := answer{Problem: &tt.problem}.err(Request{Set: lock.ParseSet("python")}, asked(t))
			refused(t, err)
			if tt.want != "" {
				equal(t, "words", err.Error(), tt.want)
			}
			equal(t, "hints", failure.Hints(err), tt.hints)
		})
	}
	if err := (answer{}).err(Request{}, question{}); err != nil {
		t.Errorf("no problem is %v", err)
	}
}

// The beginning and the end of a build's output are kept.
func TestLongProblemsAreShortened(t *testing.T) {
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d", i)
	}
	got := strings.Split(shortened(strings.Join(lines, "\n")+"\n"), "\n")
	want := slices.Concat(lines[:4], []string{"  … 76 lines …"}, lines[80:])
	equal(t, "lines", got, want)
	short := strings.Join(lines[:mostLines], "\n")
	equal(t, "short ones", shortened(short), short)
}

func TestReadAnswer(t *testing.T) {
	a, err := readAnswer([]byte(`{"distributions": [{"name": "a", "kind": "git", "hashes": {"sha256": "x"}}], "builds": {"a": [{"name": "b"}]}, "omitted": [{"requirement": "c", "reason": "d"}], "notes": ["e"]}`))
	if err != nil || len(a.all()) != 2 || a.Problem != nil || a.Omitted[0] != (omission{"c", "d"}) {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := readAnswer([]byte("<html>")); err == nil || !strings.Contains(err.Error(), "reading the answer of uv") {
		t.Errorf("got %v", err)
	}
}

// socketDir returns a directory with a path short enough for a socket.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "door") //nolint:usetesting // t.TempDir has the test's name in its path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func openDoor(t *testing.T, o door.Options) *door.Door {
	t.Helper()
	o.Dir = socketDir(t)
	d, err := door.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// An unreachable index is reported as the reason why uv found nothing.
func TestProblemsOfIndexesComeFirst(t *testing.T) {
	s := newSite(t)
	s.status("/simple/torch/", http.StatusServiceUnavailable)
	d := openDoor(t, door.Options{Client: quick(), Indexes: []door.Index{{Name: "own", URL: s.URL + "/simple"}}})
	through(t, d, s.URL+"/simple/torch/")
	told := answer{Problem: &answerProblem{Message: "torch was not found"}}
	err := Options{}.throughDoor(t.Context(), Request{Set: lock.ParseSet("python")}, asked(t), d, told)
	if err == nil || !strings.HasPrefix(err.Error(), "resolving python: ") || !strings.Contains(err.Error(), "503") || !strings.HasSuffix(err.Error(), "torch was not found") {
		t.Errorf("got %v", err)
	}
	if got := failure.KindOf(err); got != failure.Transient {
		t.Errorf("kind is %d", got)
	}
	if err := (Options{}).throughDoor(t.Context(), Request{}, question{}, d, answer{}); err != nil {
		t.Errorf("an index that was not needed: %v", err)
	}
}

// Neither resolved errors nor an index that answers 403 for missing projects hides uv's
// message and hints.
func TestProblemsOfIndexesThatAreNoReason(t *testing.T) {
	s := newSite(t)
	d := openDoor(t, door.Options{Client: quick(), Indexes: []door.Index{{Name: "pypi", URL: s.URL + "/simple"}, {Name: "torch", URL: s.URL + "/torch"}}})
	s.status("/torch/torch/", http.StatusForbidden)
	s.status("/simple/torch/", http.StatusServiceUnavailable)
	through(t, d, s.URL+"/simple/torch/")
	s.put("/simple/torch/", []byte(link("/f/torch-2.5.0-py3-none-any.whl", "")))
	through(t, d, s.URL+"/simple/torch/")
	through(t, d, s.URL+"/torch/torch/")
	told := answer{Problem: &answerProblem{Message: "No solution found: there is no version of torch==2.6.0"}}
	err := Options{}.throughDoor(t.Context(), Request{Set: lock.ParseSet("python")}, asked(t), d, told)
	refused(t, err, "python: No solution found")
	if strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "503") || !slices.Contains(failure.Hints(err), "torch: its index has 2.5.0") {
		t.Errorf("got %v, hints %q", err, failure.Hints(err))
	}
	s.status("/torch/own/", http.StatusForbidden) // and nobody else has it
	through(t, d, s.URL+"/torch/own/")
	if err := (Options{}).throughDoor(t.Context(), Request{Set: lock.ParseSet("python")}, asked(t), d, told); err == nil || !strings.Contains(err.Error(), "answers 403") {
		t.Errorf("got %v", err)
	}
}

func TestWhatADoorRefusedIsTold(t *testing.T) {
	s := newSite(t)
	d := openDoor(t, door.Options{Client: quick(), Indexes: []door.Index{{Name: "own", URL: s.URL + "/simple"}}})
	through(t, d, "http://secrets.example/x")
	var told notebook
	err := Options{Note: told.note}.throughDoor(t.Context(), Request{Set: lock.ParseSet("python")}, asked(t), d, answer{Problem: &answerProblem{Message: "no"}})
	refused(t, err, "python: no")
	equal(t, "notes", told.told, []string{"python: the resolve asked for secrets.example:80, which none of its indexes or requirements names"})
}

func TestResolvesThatTakeTooLong(t *testing.T) {
	s := newSite(t)
	s.put("/files/slow-1.0.tar.gz", []byte("x"))
	s.put("/simple/slow/", []byte(`<a href="/files/slow-1.0.tar.gz">slow-1.0.tar.gz</a>`))
	d := openDoor(t, door.Options{Client: quick(), Indexes: []door.Index{{Name: "own", URL: s.URL + "/simple"}}})
	through(t, d, s.URL+"/simple/slow/")
	through(t, d, s.URL+"/files/slow-1.0.tar.gz")
	o := Options{Limit: 20 * time.Minute}
	err := o.stopped(t.Context(), Request{Set: lock.ParseSet("python")}, d, fmt.Errorf("solving: %w", &solve.Error{Err: errors.New("process did not complete successfully: exit code: 124")}))
	refused(t, err, "resolving python: it took longer than 20m0s; the last source fetched is "+s.URL+"/files/slow-1.0.tar.gz")
	if hints := failure.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], "[python.build-requires]") {
		t.Errorf("hints are %q", hints)
	}
	other := errors.New("exit code: 124")
	if err := o.stopped(t.Context(), Request{Set: lock.ParseSet("python")}, d, other); !errors.Is(err, other) || failure.KindOf(err) != failure.Failure {
		t.Errorf("got %v", err)
	}
}

// A failed download of uv's own wheel is explained like any other.
func TestUVThatDoesNotCome(t *testing.T) {
	s := newSite(t)
	s.put("/uv.whl", []byte("altered"))
	o := Options{HTTP: quick(), uv: lock.UV{Version: "1.2.3", File: "uv.whl", URL: s.URL + "/uv.whl"}}
	told := &solve.Error{Err: errors.New("digest mismatch sha256:1: sha256:2"), URL: o.uv.URL}
	err := o.stopped(t.Context(), Request{Set: lock.ParseSet("python")}, nil, told)
	if want := "resolving python: fetching uv 1.2.3 from " + o.uv.URL + ": the content differs from the lock"; err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, ErrBytes) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	o.uv.URL = s.URL + "/gone.whl"
	told.URL = o.uv.URL
	if err := o.stopped(t.Context(), Request{Set: lock.ParseSet("python")}, nil, told); err == nil || !strings.Contains(err.Error(), "the server no longer has it (404)") {
		t.Errorf("got %v", err)
	}
}
