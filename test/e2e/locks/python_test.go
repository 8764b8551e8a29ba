package locks

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A resolve that fails reports why in uv's words or better ones, and leaves no lock.
func TestRealUnresolvable(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	tests := []struct {
		name    string
		offers  []testworld.Distribution
		corrupt func(*testworld.World, *testworld.Index)
		lines   []string
		code    int
		says    []string
	}{
		{"no version", nil, nil, []string{"alpha", "beta==9"}, 2, []string{"requirements.txt:3: python: ", "there is no version of beta==9", "hint: beta: its index has 2.1, 1.0"}},
		{"no project", nil, nil, []string{"nothing"}, 2, []string{"requirements.txt:2: python: ", "nothing was not found in the package registry"}},
		{"conflict", nil, nil, []string{"alpha", "beta<2"}, 2, []string{"requirements.txt:2, requirements.txt:3: python: ", "all versions of alpha depend on beta>=2", "you require beta<2"}},
		{"another platform", []testworld.Distribution{
			testworld.Wheel{Name: "winonly", Tag: "cp311-cp311-win_amd64"}, testworld.Wheel{Name: "winonly", Tag: "cp39-cp39-manylinux2014_x86_64"},
		}, nil, []string{"beta", "winonly"}, 2, []string{"requirements.txt:3: ", "winonly==1.0 has no wheels with a matching platform tag", "hint: Wheels are available for `winonly` (v1.0) on the following platform"}},
		{"another Python", []testworld.Distribution{testworld.Wheel{Name: "newer", RequiresPython: ">=3.13"}}, nil, []string{"newer"}, 2, []string{"newer", "3.13"}},
		{"vanished", nil, func(_ *testworld.World, x *testworld.Index) { x.Remove("beta-2.1-py3-none-any.whl") }, []string{"beta"}, 2, []string{"requirements.txt:2: python: ", "answers 404 to http://", "/simple-files/beta-2.1-py3-none-any.whl", "hint: "}},
		{"wrong bytes", nil, func(w *testworld.World, x *testworld.Index) {
			w.Fail(x.FilePath("beta-2.1-py3-none-any.whl"), testworld.Wrong(testworld.Always))
		}, []string{"beta"}, 1, []string{"/simple-files/beta-2.1-py3-none-any.whl as ", "but the content has ", "hint: a proxy may have altered it"}},
		{"an index that lies about an sdist", []testworld.Distribution{testworld.Sdist{Name: "gamma", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"}}, func(_ *testworld.World, x *testworld.Index) {
			x.Lie("gamma-1.0.tar.gz")
		}, []string{"gamma"}, 1, []string{"/simple-files/gamma-1.0.tar.gz as ", "but the content has "}},
		{"index broken", nil, func(w *testworld.World, _ *testworld.Index) {
			w.Fail("/simple/beta", testworld.Status(http.StatusBadGateway, testworld.Always))
		}, []string{"beta"}, 75, []string{"resolving python: ", " answers 502 to http://", "/simple/beta/", "requirements.txt:2: python: "}},
		{"index down", nil, func(w *testworld.World, _ *testworld.Index) { w.Stop() }, []string{"beta"}, 75, []string{"/simple/beta/: gave up after 4 attempts: ", "connection refused", "requirements.txt:2: python: "}},
		{"index refuses", nil, func(w *testworld.World, _ *testworld.Index) {
			w.Fail("/simple/beta", testworld.Status(http.StatusForbidden, testworld.Always))
		}, []string{"beta"}, 2, []string{" answers 403 to http://", "it requires a login, but none was sent", "hint: put a login for 127.0.0.1 into ~/.netrc"}},
		{"enemies", []testworld.Distribution{testworld.Wheel{Name: "onnxruntime"}, testworld.Wheel{Name: "onnxruntime-gpu"}}, nil, []string{"onnxruntime", "onnxruntime-gpu"}, 2, []string{`both install the package "onnxruntime"`}},
		{"one path twice", []testworld.Distribution{
			testworld.Wheel{Name: "one", Files: map[string]string{"shared/x.py": "1", "shared/y.py": ""}}, testworld.Wheel{Name: "two", Files: map[string]string{"shared/x.py": "2", "shared/y.py": ""}},
		}, nil, []string{"one", "two"}, 2, []string{"one 1.0 and two 1.0 both hold shared/x.py, with different content", "hint: "}},
		{"undeclared build requirement", []testworld.Distribution{testworld.Sdist{Name: "gamma", BuildRequires: []string{"worldbackend"}, Backend: "nosuchbackend"}}, nil, []string{"gamma"}, 2, []string{"requirements.txt:2: python: ", "No module named 'nosuchbackend'", `hint: its build imports nosuchbackend, which it doesn't declare: [python.build-requires] gamma = `}},
		{"build requirement that is nowhere", []testworld.Distribution{testworld.Sdist{Name: "gamma", BuildRequires: []string{"missing-backend"}, Backend: "missing"}}, nil, []string{"gamma"}, 2, []string{"missing-backend"}},
		{"compiler missing", []testworld.Distribution{testworld.Sdist{Name: "insightface", Version: "0.7.3", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"}}, nil, []string{"insightface"}, 2, []string{"insightface 0.7.3 has no wheel and must be compiled, but the builder lacks g++, python3-dev", "hint: add to [builder] packages: g++, python3-dev"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			x := w.Index(testworld.IndexOptions{JSON: true}, append(tt.offers, testworld.Backend(),
				testworld.Wheel{Name: "alpha", Version: "1.0", Requires: []string{"beta>=2"}},
				testworld.Wheel{Name: "beta", Version: "1.0"}, testworld.Wheel{Name: "beta", Version: "2.1"})...)
			dir := e2etest.Needs(t, append([]string{"--index-url " + x.URL}, tt.lines...)...)
			if tt.corrupt != nil {
				tt.corrupt(w, x)
			}
			u.Fails(t, tt.code, tt.says, "lock", dir)
			if _, err := os.Stat(filepath.Join(dir, "image.lock")); err == nil {
				t.Error("a lock was written anyway")
			}
		})
	}
}

// archive is a file of an index with a wrong name.
type archive struct {
	testworld.Wheel

	file string
	data []byte
}

func (a archive) FileName() string { return a.file }

func (a archive) Write(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, a.data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An archive that is damaged, or has a wrong name, never gets into a lock. The error names
// it, and the line that requires it.
func TestRealDamagedArchives(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	other := testworld.Wheel{Name: "other"}.Bytes(t)
	tests := []struct {
		name, file     string
		data           []byte
		listed, direct string // the error if an index has it, and if its address is required
	}{
		{"of another name", "odd-1.0-py3-none-any.whl", other, "`other-1.0` does not start with the normalized package name: odd", "`other-1.0` does not start with the normalized package name: odd"},
		{"of another version", "odd-1.1-py3-none-any.whl", testworld.Wheel{Name: "odd"}.Bytes(t), "its file name is of odd 1.1, and its METADATA is of odd 1.0", "its file name is of odd 1.1, and its METADATA is of odd 1.0"},
		{"no zip", "odd-1.0-py3-none-any.whl", []byte("garbage"), "Failed to unzip wheel: odd-1.0-py3-none-any.whl", "Invalid zip file structure"},
		{"empty", "odd-1.0-py3-none-any.whl", nil, "Failed to unzip wheel: odd-1.0-py3-none-any.whl", "Invalid zip file structure"},
		{"no tar", "odd-1.0.tar.gz", []byte("garbage"), "Invalid tar file", "Invalid tar file"},
		{"long names", "odd-1.0-py3-none-any.whl", testworld.Wheel{Name: "odd", Files: map[string]string{strings.Repeat("x", 300): ""}}.Bytes(t), "it holds a file whose name has 300 bytes", "Filename too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := testworld.New(t).Index(testworld.IndexOptions{}, testworld.Wheel{Name: "beta"}, testworld.Wheel{Name: "needs", Requires: []string{"odd"}},
				archive{testworld.Wheel{Name: "odd"}, tt.file, tt.data})
			dir := e2etest.Needs(t, "--index-url "+x.URL, "beta", "needs")
			says := []string{"python: ", "odd", tt.listed}
			if strings.HasPrefix(tt.listed, "its ") || strings.HasPrefix(tt.listed, "it ") { // Lamina's words, which include the requirement
				says = append(says, "requirements.txt:3: python: "+x.FileURL(tt.file))
			}
			u.Fails(t, 2, says, "lock", dir)
			direct := e2etest.Needs(t, "odd @ "+x.FileURL(tt.file))
			u.Fails(t, 2, []string{"requirements.txt:1: python: ", x.FileURL(tt.file), tt.direct}, "lock", direct)
		})
	}
}

// A server that isn't an index is reported as such.
func TestRealNoIndexes(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	w := testworld.New(t)
	w.Put("portal/beta", []byte(`<html><a href="/login">Log in</a></html>`))
	for path, says := range map[string]string{
		"/simpel": "/simpel answers 404 for every project, is the path right?",
		"/portal": "/portal have no links to files: is it a package index?",
	} {
		dir := e2etest.Needs(t, "--index-url "+w.URL+path, "beta")
		u.Fails(t, 2, []string{"requirements.txt:2: python: ", "hint: ", w.URL + says}, "lock", dir)
	}
}

// An unknown name in the spec is more likely a mistake than a requirement.
func TestRealNamesThatNothingHas(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{})
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\noptional = [\"alpa\", \"beta\"]\n[python.build-requires]\nnothing = [\"beta\"]\n",
		map[string]string{"requirements.txt": "--index-url " + x.URL + "\nalpha\n"})
	u.Fails(t, 2, []string{
		`optional: "alpa" is not an installed package, did you mean "alpha"?`,
		`build-requires: "nothing" is not an installed package`,
	}, "lock", dir)
}

// Archives that are required by address are locked and installed like others.
func TestRealDirectURLs(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{Relative: true}, testworld.Wheel{Name: "named", Requires: []string{"beta<2"}}, testworld.Wheel{Name: "un.named"},
		testworld.Sdist{Name: "gamma", Version: "0.7", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"},
		testworld.Sdist{Name: "mono", Files: map[string]string{"py/pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n", "py/PKG-INFO": "Metadata-Version: 2.1\nName: inner\nVersion: 2.0\n", "py/inner.py": ""}})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "named @ "+x.FileURL("named-1.0-py3-none-any.whl"), x.FileURL("un_named-1.0-py3-none-any.whl"), x.FileURL("gamma-0.7.tar.gz"), "inner @ "+x.FileURL("mono-1.0.tar.gz")+"#subdirectory=py")
	u.Build(t, dir, "--smoke", "off")
	l := e2etest.ReadLock(t, dir)
	if diff := cmp.Diff([]string{"beta 1.0", "gamma 0.7", "inner 2.0", "named 1.0", "un-named 1.0"}, e2etest.Titles(l)); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	if d := e2etest.Find(t, l, "gamma"); d.URL != x.FileURL("gamma-0.7.tar.gz") || len(d.SHA256) != 64 {
		t.Errorf("gamma is locked as %+v", d)
	}
	installed := strings.Join(e2etest.Site(t, u), "\n")
	for _, file := range []string{"beta/__init__.py", "gamma.py", "inner.py", "named/__init__.py", "un_named/__init__.py"} {
		if !strings.Contains(installed, file) {
			t.Errorf("no %s is installed:\n%s", file, installed)
		}
	}
}

// Transient problems are retried.
func TestRealIndexRecovers(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "beta", Version: "2.1", Yanked: "broken"}, testworld.Wheel{Name: "beta", Version: "2.0"})
	w.Fail("/simple/beta", testworld.Status(http.StatusServiceUnavailable, 1))
	w.Fail(x.FilePath("beta-2.0-py3-none-any.whl"), testworld.Slow(100*time.Millisecond, 1))
	dir := e2etest.Needs(t, "--index-url "+x.URL, "beta")
	u.Build(t, "lock", dir)
	if diff := cmp.Diff([]string{"beta 2.0"}, e2etest.Titles(e2etest.ReadLock(t, dir))); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
}

// A project that is bound to an index comes only from there, whatever others offer.
func TestRealIndexesAreBound(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	w := testworld.New(t)
	public := w.Index(testworld.IndexOptions{Path: "public", JSON: true}, testworld.Wheel{Name: "torch", Version: "99.0"}, testworld.Wheel{Name: "numpy", Version: "1.26"})
	torch := w.Index(testworld.IndexOptions{Path: "torch"}, testworld.Wheel{Name: "torch", Version: "2.6.0+cu124", Requires: []string{"numpy"}}, testworld.Wheel{Name: "numpy", Version: "66.0"})
	dir := e2etest.PythonProject(t, fmt.Sprintf("[python]\nrequirements = [\"requirements.txt\"]\n[[python.index]]\nname = \"pytorch\"\nurl = %q\npackages = [\"torch\"]\n", torch.URL),
		map[string]string{"requirements.txt": "--find-links " + public.FindLinks() + "\ntorch\n"})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + public.URL}
	u.Build(t, "lock", dir)
	l := e2etest.ReadLock(t, dir)
	if diff := cmp.Diff([]string{"numpy 1.26", "torch 2.6.0+cu124"}, e2etest.Titles(l)); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	if d := e2etest.Find(t, l, "torch"); d.URL != torch.FileURL(d.File) {
		t.Errorf("torch comes from %s", d.URL)
	}
}

// The build detects a wrong hash of a wheel, since a lock reads only the wheel's directory.
func TestRealIndexLiesAboutAWheel(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true})
	x.Lie("beta-2.1-py3-none-any.whl")
	dir := e2etest.Needs(t, "--index-url "+x.URL, "beta")
	u.Build(t, "lock", dir)
	u.Fails(t, 1, []string{"beta 2.1", "the content differs from the lock"}, dir)
	u.HasNoImage(t)
}

func TestRealFilesWithoutHashesAreHashed(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{NoHashes: true, Relative: true})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha")
	u.Build(t, dir, "--smoke", "off")
	if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "beta"); len(d.SHA256) != 64 || d.Size == 0 || d.Unpacked == 0 {
		t.Errorf("beta is locked as %+v", d)
	}
}

func TestRealTenThousandLines(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true})
	lines := []string{"--index-url " + x.URL, "alpha"}
	for i := range 10_000 {
		lines = append(lines, fmt.Sprintf(`not-here-%d==1.0 ; python_version < "3"`, i))
	}
	dir := e2etest.Needs(t, lines...)
	u.Build(t, "lock", dir)
	u.Build(t, "lock", "--check", dir)
	if got := e2etest.Titles(e2etest.ReadLock(t, dir)); len(got) != 2 {
		t.Errorf("locked %v", got)
	}
	e2etest.Edit(t, filepath.Join(dir, "requirements.txt"), "not-here-77==1.0", "not-here-77==1.1")
	u.Fails(t, 3, []string{"python: the spec adds not-here-77==1.1", "python: the spec no longer has not-here-77==1.0"}, "lock", "--check", dir)
}

func TestRealPylockThereAndBack(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true}, testworld.Sdist{Name: "gamma", Version: "0.7", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha", "gamma")
	u.Build(t, dir, "--smoke", "off")
	want := u.Digest(t)
	exported := filepath.Join(t.TempDir(), "pylock.toml")
	u.Build(t, "lock", "--export", exported, dir)
	text, err := os.ReadFile(exported)
	if err != nil {
		t.Fatal(err)
	}
	again := e2etest.PythonProject(t, "[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": string(text)})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	u.Build(t, again, "--smoke", "off")
	if got := u.Digest(t); got != want {
		t.Errorf("pylock.toml gives %s, the requirements %s", got, want)
	}
	for name, tt := range map[string]struct{ old, replacement, says string }{
		"no hashes":     {`, hashes = {`, `, other = {`, "missing field `hashes`"},
		"other version": {`lock-version = "1.0"`, `lock-version = "2.0"`, "unsupported lock version (`2.0`"},
		"other Python":  {`created-by`, "requires-python = \">=3.13\"\ncreated-by", "incompatible with the `pylock.toml`'s Python requirement: `>=3.13`"},
		"other wheels":  {`-py3-none-any.whl"`, `-cp39-none-win32.whl"`, "`alpha` can't be installed because it doesn't have a source distribution or wheel for the current platform"},
		"no TOML":       {`lock-version = "1.0"`, `lock-version = `, "pylock.toml:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := e2etest.PythonProject(t, "[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": strings.ReplaceAll(string(text), tt.old, tt.replacement)})
			u.Fails(t, 2, []string{tt.says}, "lock", bad)
		})
	}
}
