package kinds

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// odd returns distributions of all kinds.
func odd() []testworld.Distribution {
	const c = "cp311-cp311-manylinux_2_28_x86_64"
	return []testworld.Distribution{
		testworld.Backend(),
		testworld.Wheel{Name: "alpha", Requires: []string{"beta>=2"}},
		testworld.Wheel{Name: "beta"},
		testworld.Wheel{Name: "beta", Version: "2.1"},
		testworld.Wheel{Name: "extras", Extras: []string{"gpu_x"}, Requires: []string{"beta; extra == 'gpu_x'"}},
		testworld.Wheel{Name: "legacy", Requires: []string{"beta (>=1.*)", "alpha (==1.0)"}},
		testworld.Wheel{Name: "record", Record: func(lines []string) []string { return append(lines[1:], "gone.py,sha256=AAAA,1", lines[1]+"\r") }},
		testworld.Wheel{Name: "slip", Extra: []testworld.Entry{{Name: "../evil.py", Mode: 0o644}}},
		testworld.Wheel{Name: "link", Extra: []testworld.Entry{{Name: "link/passwd", Mode: fs.ModeSymlink | 0o777, Content: "/etc/passwd"}}},
		testworld.Wheel{Name: "twice", Extra: []testworld.Entry{{Name: "twice/a.py", Mode: 0o644, Content: "a"}, {Name: "twice/a.py", Mode: 0o644, Content: "a"}}},
		testworld.Wheel{Name: "twofold", Extra: []testworld.Entry{{Name: "twofold/a.py", Mode: 0o644, Content: "a"}, {Name: "twofold/a.py", Mode: 0o644, Content: "b"}}},
		testworld.Wheel{Name: "badentry", Scripts: map[string]string{"tool": "badentry"}},
		testworld.Wheel{Name: "onetool", Scripts: map[string]string{"tool": "onetool:main"}},
		testworld.Wheel{Name: "twotool", Scripts: map[string]string{"tool": "twotool:main"}},
		testworld.Wheel{Name: "yanked", Yanked: "it is broken"},
		testworld.Wheel{Name: "yanked", Version: "0.9"},
		testworld.Wheel{Name: "musl", Tag: "cp311-cp311-musllinux_1_2_x86_64"},
		testworld.Wheel{Name: "tags", Tag: "py3-none-any"},
		testworld.Wheel{Name: "tags", Tag: "cp38-abi3-manylinux_2_17_x86_64"},
		testworld.Wheel{Name: "tags", Tag: c, Build: "2"},
		testworld.Wheel{Name: "tags", Tag: c, Build: "10"},
		testworld.Wheel{Name: "tags", Tag: c},
		testworld.Wheel{Name: "epoch", Version: "1!0.1"},
		testworld.Wheel{Name: "epoch", Version: "7.0"},
		testworld.Wheel{Name: "local", Version: "1.0+cpu"},
		testworld.Wheel{Name: "ofpublic", Requires: []string{"local==1.0"}},
		testworld.Wheel{Name: "older", RequiresPython: ">=3.9"},
		testworld.Wheel{Name: "older", Version: "2.0", RequiresPython: ">=3.13"},
		testworld.Wheel{Name: "pre", Version: "1.0rc1"},
		testworld.Sdist{Name: "othername", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend", Files: map[string]string{"PKG-INFO": "Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n"}},
		testworld.Sdist{Name: "otherversion", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend", Files: map[string]string{"PKG-INFO": "Metadata-Version: 2.1\nName: otherversion\nVersion: 1.1\n"}},
		testworld.Wheel{Name: "needsurl", Requires: []string{"direct @ http://127.0.0.1:9/direct-1.0-py3-none-any.whl"}},
	}
}

// Packages as they exist in the world: each is locked as uv does it, or refused with the
// reason.
func TestRealKindsOfPackages(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, odd()...)
	differs := testworld.Wheel{Name: "differs"}
	w.Put("files/"+differs.FileName(), differs.Bytes(t))
	told := []byte("Metadata-Version: 2.1\nName: differs\nVersion: 1.0\nRequires-Dist: beta<2\n")
	w.Put("files/"+differs.FileName()+".metadata", told)
	w.Put("simple/differs", fmt.Appendf(nil, "<!DOCTYPE html><html><body><a href=\"%s/files/%s\" data-core-metadata=\"sha256=%x\">%s</a></body></html>",
		w.URL, differs.FileName(), sha256.Sum256(told), differs.FileName()))
	data := testworld.Wheel{Name: "beta", Version: "2.1"}.Bytes(t)
	hash512, hash256 := fmt.Sprintf("%x", sha512.Sum512(data)), fmt.Sprintf("%x", sha256.Sum256(data))
	alpha256 := fmt.Sprintf("%x", sha256.Sum256(testworld.Wheel{Name: "alpha", Requires: []string{"beta>=2"}}.Bytes(t)))
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	for _, tt := range []struct {
		name, lines, more string
		code              int
		want              []string // titles, or parts of the error
		note              string
	}{
		{"extra in another spelling", "extras[gpu-x]", "", 0, []string{"beta 2.1", "extras 1.0"}, ""},
		{"extra that nothing has", "extras[nothing]", "", 0, []string{"extras 1.0"}, "does not have an extra named `nothing`"},
		{"legacy specifiers", "legacy", "", 0, []string{"alpha 1.0", "beta 2.1", "legacy 1.0"}, ""},
		{"sloppy RECORD", "record", "", 0, []string{"record 1.0"}, ""},
		{"entry that leads out", "slip", "", 2, []string{"requirements.txt:1: python: ", `it holds "../evil.py", which is not a path inside a directory`}, ""},
		{"symbolic link", "link", "", 2, []string{"requirements.txt:1: python: ", `it holds "link/passwd", which is not a regular file`}, ""},
		{"entry twice", "twice", "", 0, []string{"twice 1.0"}, ""},
		{"entry twice with other content", "twofold", "", 2, []string{`it holds "twofold/a.py" twice, with different content`}, ""},
		{"script that can't start", "badentry", "", 2, []string{`its script "tool" can't start: "badentry" names no function of a module`}, ""},
		{"one script of two", "onetool\ntwotool", "", 2, []string{"onetool 1.0 and twotool 1.0 both hold bin/tool, with different content", `hint: exclude one of them, as with excludes = ["twotool"]`}, ""},
		{"sha512", "beta==2.1 --hash=sha512:" + hash512, "", 0, []string{"beta 2.1"}, ""},
		{"wrong sha512", "beta==2.1 --hash=sha512:" + strings.Repeat("0", 128), "", 2, []string{"requirements.txt:1: python: ", "which matches none of the 1 --hash options of its line", "--hash=sha256:" + hash256}, ""},
		{"a hash for all", "--require-hashes\nalpha==1.0 --hash=sha256:" + alpha256 + "\nbeta==2.1 --hash=sha256:" + hash256, "", 0, []string{"alpha 1.0", "beta 2.1"}, ""},
		{"no hash for what is required", "--require-hashes\nalpha==1.0 --hash=sha256:" + alpha256, "", 2, []string{"/beta-2.1-py3-none-any.whl: --require-hashes requires a --hash for everything"}, ""},
		{"yanked", "yanked", "", 0, []string{"yanked 0.9"}, ""},
		{"yanked and pinned", "yanked==1.0", "", 0, []string{"yanked 1.0"}, "yanked 1.0 was yanked from its index: it is broken"},
		{"metadata that differs", "differs", "", 0, []string{"differs 1.0"}, "the requirements of differs 1.0 in the index differ from the METADATA in its wheel"},
		{"musl", "musl", "", 2, []string{"requirements.txt:1: python: ", "matching platform tag", "musllinux"}, ""},
		{"epoch", "epoch", "", 0, []string{"epoch 1!0.1"}, ""},
		{"local version", "ofpublic", "", 0, []string{"local 1.0+cpu", "ofpublic 1.0"}, ""},
		{"for a newer Python", "older", "", 0, []string{"older 1.0"}, ""},
		{"before its release", "pre", "", 0, []string{"pre 1.0rc1"}, ""},
		{"sdist of another name", "othername", "", 2, []string{"requirements.txt:1: python: ", "othername", "beta"}, ""},
		{"sdist of another version", "otherversion", "", 2, []string{"requirements.txt:1: python: ", "otherversion", "1.1"}, ""},
		{"url in metadata", "needsurl", "", 2, []string{"hint: the spec must also list what a package requires by URL: add the line direct @ http://127.0.0.1:9/direct-1.0-py3-none-any.whl"}, ""},
		{"override", "alpha", "overrides = [\"beta==1.0\"]", 0, []string{"alpha 1.0", "beta 1.0"}, ""},
		{"exclude", "alpha", "excludes = [\"Beta\"]", 0, []string{"alpha 1.0"}, ""},
		{"exclude of a script", "onetool\ntwotool", "excludes = [\"twotool\"]", 0, []string{"onetool 1.0"}, ""},
		{"constraint", "beta", "constraints = [\"constraints.txt\"]", 0, []string{"beta 1.0"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n"+tt.more+"\n", map[string]string{"requirements.txt": tt.lines + "\n", "constraints.txt": "beta<2\n"})
			if tt.code != 0 {
				u.Fails(t, tt.code, tt.want, "lock", dir)
				return
			}
			r := u.Build(t, "lock", dir)
			if diff := cmp.Diff(tt.want, e2etest.Titles(e2etest.ReadLock(t, dir))); diff != "" {
				t.Errorf("locked (-want +got):\n%s", diff)
			}
			if !strings.Contains(r.Stderr, tt.note) {
				t.Errorf("it does not print %q:\n%s", tt.note, r.Stderr)
			}
		})
	}
	t.Run("tags", func(t *testing.T) {
		t.Parallel()
		dir := e2etest.Needs(t, "tags")
		u.Build(t, "lock", dir)
		if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "tags"); d.File != "tags-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl" {
			t.Errorf("locked is %s", d.File)
		}
	})
}

// Archives may have any name.
func TestRealNamesOfArchives(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, testworld.Backend())
	sdist := func(name string) string {
		return string(testworld.Sdist{Name: name, BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"}.Bytes(t))
	}
	w.Put("files/remote@1.0.tar.gz", []byte(sdist("remote")))
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n", map[string]string{
		"requirements.txt":        "--index-url " + x.URL + "\n./own/adjacent@1.0.tar.gz\nspaced @ file:own/a%20copy%20(2).tar.gz\nremote @ " + w.URL + "/files/remote@1.0.tar.gz\n",
		"own/adjacent@1.0.tar.gz": sdist("adjacent"), "own/a copy (2).tar.gz": sdist("spaced"),
	})
	u.Build(t, "lock", dir)
	u.Build(t, "lock", "--check", dir)
	var files []string
	for _, d := range e2etest.ReadLock(t, dir).PythonIn("production") {
		files = append(files, d.File)
	}
	if diff := cmp.Diff([]string{"adjacent@1.0.tar.gz", "remote@1.0.tar.gz", "a copy (2).tar.gz"}, files); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	u.Build(t, dir, "--smoke", "off", "--progress", "quiet")
	site := strings.Join(e2etest.Site(t, u), "\n")
	for _, name := range []string{"adjacent", "spaced", "remote"} {
		if !strings.Contains(site, name+"-1.0.dist-info/") {
			t.Errorf("%s is not installed:\n%s", name, site)
		}
	}
}

// An index hides versions of the next one, unless the spec says otherwise.
func TestRealIndexStrategy(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	first := w.Index(testworld.IndexOptions{Path: "first"}, testworld.Wheel{Name: "beta"})
	second := w.Index(testworld.IndexOptions{Path: "second"}, testworld.Wheel{Name: "beta", Version: "2.0"})
	dir := e2etest.Needs(t, "--index-url "+second.URL, "--extra-index-url "+first.URL, "beta==2.0")
	u.Fails(t, 2, []string{"requirements.txt:3: python: ", `hint: an earlier index hides versions on later ones: write index-strategy = "unsafe-best-match" under [python] to search all`}, "lock", dir)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "[python]", "[python]\nindex-strategy = \"unsafe-best-match\"")
	u.Build(t, "lock", dir)
	if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "beta"); d.Version != "2.0" || d.Index != second.URL {
		t.Errorf("locked is %+v", d)
	}
}

// A pylock.toml of another tool is read as PEP 751 specifies, or refused with the reason.
func TestRealPylockOfOthers(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	sdist := testworld.Sdist{Name: "gamma", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"}
	x := w.Index(testworld.IndexOptions{}, append(odd(), sdist)...)
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	own := testworld.Wheel{Name: "own"}
	entry := func(name, version, marker string, sums ...string) string {
		wheel := testworld.Wheel{Name: name, Version: version}
		hashes := fmt.Sprintf("sha256 = \"%x\"", sha256.Sum256(wheel.Bytes(t)))
		if name == "alpha" {
			wheel.Requires = []string{"beta>=2"}
			hashes = fmt.Sprintf("sha256 = \"%x\"", sha256.Sum256(wheel.Bytes(t)))
		}
		if len(sums) > 0 {
			hashes = sums[0]
		}
		return fmt.Sprintf("[[packages]]\nname = %q\nversion = %q\n%swheels = [{ url = %q, hashes = { %s } }]\n", name, version, marker, x.FileURL(wheel.FileName()), hashes)
	}
	sum512 := fmt.Sprintf("sha512 = \"%x\"", sha512.Sum512(testworld.Wheel{Name: "beta"}.Bytes(t)))
	archive := fmt.Sprintf("[[packages]]\nname = \"gamma\"\narchive = { url = %q, hashes = { sha256 = \"%x\" } }\n", x.FileURL(sdist.FileName()), sha256.Sum256(sdist.Bytes(t)))
	directory := "[[packages]]\nname = \"lib\"\ndirectory = { path = \"lib\" }\n"
	tree := map[string]string{"lib/pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n[project]\nname = \"lib\"\nversion = \"1\"\n"}
	for _, tt := range []struct {
		name, head, text, more string
		files                  map[string]string
		code                   int
		want                   []string
	}{
		{"groups by default", "dependency-groups = [\"dev\"]\ndefault-groups = [\"dev\"]\n", entry("beta", "1.0", "marker = \"'dev' in dependency_groups\"\n"), "", nil, 0, []string{"beta 1.0"}},
		{"group that is named", "dependency-groups = [\"test\"]\n", entry("beta", "1.0", "marker = \"'test' in dependency_groups\"\n") + entry("alpha", "1.0", ""), "groups = [\"test\"]", nil, 0, []string{"alpha 1.0", "beta 1.0"}},
		{"group that nobody names", "dependency-groups = [\"test\"]\n", entry("beta", "1.0", "marker = \"'test' in dependency_groups\"\n") + entry("alpha", "1.0", ""), "", nil, 0, []string{"alpha 1.0"}},
		{"extra", "extras = [\"fast\"]\n", entry("beta", "1.0", "marker = \"'fast' in extras\"\n") + entry("alpha", "1.0", ""), "extras = [\"fast\"]", nil, 0, []string{"alpha 1.0", "beta 1.0"}},
		{"two versions by marker", "", entry("beta", "1.0", "marker = \"sys_platform == 'linux'\"\n") + entry("beta", "2.1", "marker = \"sys_platform == 'win32'\"\n"), "", nil, 0, []string{"beta 1.0"}},
		{"without what is excluded", "", entry("alpha", "1.0", "") + entry("beta", "2.1", ""), "excludes = [\"beta\"]", nil, 0, []string{"alpha 1.0"}},
		{"other than overrides", "", entry("beta", "1.0", ""), "overrides = [\"beta>2\"]", nil, 2, []string{"image.toml:6:14: python: overrides require beta>2, but pylock.toml has 1.0"}},
		{"a version in another spelling", "", strings.Replace(entry("beta", "1.0", "")+entry("alpha", "1.0", ""), "version = \"1.0\"", "version = \"v1.0.0\"", 1), "", nil, 0, []string{"alpha 1.0", "beta 1.0"}},
		{"twice", "", entry("beta", "1.0", "") + entry("beta", "2.1", ""), "", nil, 2, []string{"beta"}},
		{"only a sha512", "", entry("beta", "1.0", "", sum512), "", nil, 0, []string{"beta 1.0"}},
		{
			"wheel next to it", "", fmt.Sprintf("[[packages]]\nname = \"own\"\nversion = \"1.0\"\nwheels = [{ path = %q, hashes = { sha256 = \"%x\" } }]\n", "wheels/"+own.FileName(), sha256.Sum256(own.Bytes(t))), "",
			map[string]string{"wheels/" + own.FileName(): string(own.Bytes(t))},
			0,
			[]string{"own 1.0"},
		},
		{"archive without a version", "", archive, "", nil, 0, []string{"gamma 1.0"}},
		{"directory", "", directory + entry("beta", "1.0", ""), "", tree, 2, []string{"it is the directory 'lib'", `hint: a directory is built as a source tree: sources = ["lib"] under [python]`}},
		{"directory as a source tree", "", directory + entry("beta", "1.0", ""), "sources = [\"lib\"]", tree, 0, []string{"beta 1.0"}},
		{"no packages", "", strings.ReplaceAll(entry("beta", "1.0", ""), "[[packages]]", "[[package]]"), "", nil, 2, []string{"packages"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"pylock.toml": "lock-version = \"1.0\"\ncreated-by = \"somebody\"\n" + tt.head + tt.text}
			maps.Copy(files, tt.files)
			dir := e2etest.PythonProject(t, "[python]\nlock = \"pylock.toml\"\n"+tt.more+"\n", files)
			if tt.code != 0 {
				u.Fails(t, tt.code, tt.want, "lock", dir)
				return
			}
			u.Build(t, "lock", dir)
			if diff := cmp.Diff(tt.want, e2etest.Titles(e2etest.ReadLock(t, dir))); diff != "" {
				t.Errorf("locked (-want +got):\n%s", diff)
			}
		})
	}
}

const backendOf = "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n"

const project = `[project]
name = "svc"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["alpha"]
[project.optional-dependencies]
fast = ["epoch"]
[dependency-groups]
dev = ["pre"]
test = ["older"]
[tool.uv]
package = false
[[tool.uv.index]]
url = "INDEX"
default = true
`

// uvLock returns uv's lock for project; it was made by uv 0.13.9.
func uvLock(t *testing.T, x *testworld.Index) string {
	t.Helper()
	text, err := os.ReadFile("testdata/uv.lock")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "http://INDEX", strings.TrimSuffix(x.URL, "/simple"))
}

// A project of uv is locked by its uv.lock, or resolved if it has none.
func TestRealProjectsOfUV(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, odd()...)
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	fresh := map[string]string{"pyproject.toml": strings.ReplaceAll(project, "INDEX", x.URL)}
	locked := map[string]string{"pyproject.toml": fresh["pyproject.toml"], "uv.lock": uvLock(t, x)}
	with := func(name, old, replacement string) map[string]string {
		files := maps.Clone(locked)
		files[name] = strings.ReplaceAll(files[name], old, replacement)
		return files
	}
	dynamic := map[string]string{"pyproject.toml": "[build-system]\nrequires = [\"nobody\"]\nbuild-backend = \"nobody\"\n" + strings.Replace(fresh["pyproject.toml"], "version = \"1.0\"", "dynamic = [\"version\"]", 1)}
	second, own := w.Index(testworld.IndexOptions{Path: "second"}, testworld.Wheel{Name: "bound"}, testworld.Wheel{Name: "beta", Version: "3.0"}), testworld.Wheel{Name: "own"}
	sources := map[string]string{
		"pyproject.toml": strings.Replace(fresh["pyproject.toml"], `["alpha"]`, `["bound", "own", "sam", "one"]`, 1) + fmt.Sprintf(
			"[[tool.uv.index]]\nname = \"second\"\nurl = %q\nexplicit = true\n[tool.uv.sources]\nbound = { index = \"second\" }\nown = { path = \"wheels/%s\" }\nsam = { git = %q, branch = \"main\" }\none = { workspace = true }\n[tool.uv.workspace]\nmembers = [\"one\"]\n",
			second.URL, own.FileName(), w.Git("sam", map[string]string{"pyproject.toml": backendOf, "PKG-INFO": "Metadata-Version: 2.1\nName: sam\nVersion: 1.0\n"}).URL,
		),
		"one/pyproject.toml": backendOf + "[project]\nname = \"one\"\nversion = \"1\"\ndependencies = [\"beta<2\"]\n", "wheels/" + own.FileName(): string(own.Bytes(t)),
	}
	bound := fmt.Sprintf("project = \".\"\n[[python.index]]\nname = \"second\"\nurl = %q\npackages = [\"beta\"]", second.URL)
	adjacent := map[string]string{"wheels/" + own.FileName(): string(own.Bytes(t))}
	grouped := map[string]string{"pyproject.toml": strings.Replace(fresh["pyproject.toml"], "[tool.uv]", "[tool.uv]\ndefault-groups = [\"dev\", \"test\"]", 1)}
	text, _, _ := strings.Cut(fresh["pyproject.toml"], "[[tool")
	text = strings.Replace(text, `["alpha"]`, `["alpha", "own"]`, 1)
	theirs := "{ url = \"" + x.URL + "\", default = true }]\n"
	adjacent["links/pyproject.toml"] = text + "find-links = [\"../wheels\"]\nindex = [" + theirs
	adjacent["flat/pyproject.toml"] = text + "index = [{ url = \"../wheels\", format = \"flat\" }, " + theirs
	for _, tt := range []struct {
		name, toml string
		files      map[string]string
		code       int
		want       []string
	}{
		{"without a lock", "project = \".\"", fresh, 0, []string{"alpha 1.0", "beta 2.1"}},
		{"extras and groups", "project = \".\"\nextras = [\"fast\"]\ngroups = [\"test\"]", fresh, 0, []string{"alpha 1.0", "beta 2.1", "epoch 1!0.1", "older 1.0"}},
		{"with a lock", "project = \".\"", locked, 0, []string{"alpha 1.0", "beta 2.1"}},
		{"a lock", "lock = \"uv.lock\"\ngroups = [\"dev\"]", locked, 0, []string{"alpha 1.0", "beta 2.1", "pre 1.0rc1"}},
		{"a dynamic version", "project = \".\"", dynamic, 0, []string{"alpha 1.0", "beta 2.1"}},
		{
			"other Pythons", "project = \".\"",
			map[string]string{"pyproject.toml": strings.Replace(fresh["pyproject.toml"], ">=3.9", ">=3.13", 1)},
			2,
			[]string{"its pyproject.toml requires Python >=3.13, but the image has 3.11.2"},
		},
		{"an index of the spec", bound, fresh, 0, []string{"alpha 1.0", "beta 3.0"}},
		{"sources", "project = \".\"\nsources = [\"one\"]", sources, 0, []string{"beta 1.0", "bound 1.0", "own 1.0", "sam 1.0"}},
		{"a member of a workspace", "project = \"one\"", sources, 0, []string{"beta 1.0"}},
		{"a lock of other platforms", "project = \".\"", with("uv.lock", "alpha-1.0-py3-none-any.whl", "alpha-1.0-cp311-cp311-win_amd64.whl"), 2, []string{"python: ", "alpha"}},
		{"a lock of what is dynamic", "project = \".\"", with("pyproject.toml", "dependencies = [\"alpha\"]", "dynamic = [\"dependencies\"]"), 0, []string{"alpha 1.0", "beta 2.1"}},
		{"a stale lock", "project = \".\"", with("pyproject.toml", `["alpha"]`, `["alpha", "twice"]`), 2, []string{"python: ", "needs to be updated", `hint: run "uv lock" to bring uv.lock up to date`}},
		{"a directory of wheels", "project = \"links\"", adjacent, 0, []string{"alpha 1.0", "beta 2.1", "own 1.0"}},
		{"a directory as an index", "project = \"flat\"", adjacent, 0, []string{"alpha 1.0", "beta 2.1", "own 1.0"}},
		{"groups that nobody names", "project = \".\"", grouped, 0, []string{"alpha 1.0", "beta 2.1"}},
		{"no such group", "project = \".\"\ngroups = [\"nothing\"]", fresh, 2, []string{"image.toml:6:11: python: ", "nothing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := e2etest.PythonProject(t, "[python]\n"+tt.toml+"\n", tt.files)
			if tt.code != 0 {
				u.Fails(t, tt.code, tt.want, "lock", dir)
				return
			}
			u.Build(t, "lock", dir)
			if diff := cmp.Diff(tt.want, e2etest.Titles(e2etest.ReadLock(t, dir))); diff != "" {
				t.Errorf("locked (-want +got):\n%s", diff)
			}
		})
	}
}
