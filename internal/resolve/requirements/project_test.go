package requirements_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

const projectSpec = "name = \"x\"\n[python]\nproject = \".\"\nextras = [\"GPU\"]\ngroups = [\"serve\"]\n"

const pyprojectText = `[project]
name = "x"
version = "1.0"
description = "words"
dependencies = ["numpy<2"]
[tool.ruff]
line-length = 100
`

// lines returns the lines of the first Python request of a spec.
func lines(t *testing.T, text string, content map[string]string) []string {
	t.Helper()
	return read(t, text, content).Lock.Python[0].Lines
}

func request(t *testing.T, text string, content map[string]string) uv.Request {
	t.Helper()
	return read(t, text, content).Python[0]
}

func TestRequirementsOfTheNewKeys(t *testing.T) {
	got := lines(t, `name = "x"
[python]
requirements = ["r.txt"]
overrides = ["torch==2.6.0", "numpy < 2"]
excludes = ["OpenCV_Python"]
index-strategy = "unsafe-best-match"
`, map[string]string{"r.txt": "torch\n"})
	want := []string{"exclude opencv-python", "index-strategy unsafe-best-match", "override numpy < 2", "override torch==2.6.0", "torch"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Equal dependencies are locked equally, whatever else changes.
func TestRequirementsOfAProject(t *testing.T) {
	first := lines(t, projectSpec, map[string]string{"pyproject.toml": pyprojectText})
	if len(first) != 3 || first[0] != "extra GPU" || first[1] != "group serve" || !strings.HasPrefix(first[2], "pyproject.toml sha256:") {
		t.Errorf("got %q", first)
	}
	for _, tt := range []struct {
		name, old, text string
		same            bool
	}{
		{"version", `version = "1.0"`, `version = "1.1"`, true},
		{"words", `"words"`, `"other words"`, true},
		{"other tools", `line-length = 100`, `line-length = 120`, true},
		{"dependency", `"numpy<2"`, `"numpy<3"`, false},
		{"extra", "[tool.ruff]", "[project.optional-dependencies]\ngpu = [\"torch\"]\n[tool.ruff]", false},
		{"group", "[tool.ruff]", "[dependency-groups]\nserve = [\"flask\"]\n[tool.ruff]", false},
		{"of uv", "[tool.ruff]", "[tool.uv]\noverride-dependencies = [\"torch<3\"]\n[tool.ruff]", false},
		{"python", `version = "1.0"`, `requires-python = ">=3.11"`, false},
		{"build", "[project]", "[build-system]\nrequires = [\"hatchling\"]\n[project]", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(pyprojectText, tt.old, tt.text, 1)
			if text == pyprojectText {
				t.Fatal("nothing was changed")
			}
			got := lines(t, projectSpec, map[string]string{"pyproject.toml": text})
			if slices.Equal(got, first) != tt.same {
				t.Errorf("same requirements: %v, want %v", !tt.same, tt.same)
			}
		})
	}
	with := lines(t, projectSpec, map[string]string{"pyproject.toml": pyprojectText, "uv.lock": "version = 1\n"})
	if !slices.ContainsFunc(with, func(line string) bool { return strings.HasPrefix(line, "uv.lock sha256:") }) {
		t.Errorf("the lock next to it is not part of the requirements: %q", with)
	}
}

// A source tree is locked by its dependencies, too.
func TestRequirementsOfASourceTree(t *testing.T) {
	const text = "name = \"x\"\n[python]\nsources = [\".\"]\n"
	first := lines(t, text, map[string]string{"pyproject.toml": pyprojectText})
	bumped := lines(t, text, map[string]string{"pyproject.toml": strings.Replace(pyprojectText, `"1.0"`, `"2.0"`, 1)})
	moved := lines(t, text, map[string]string{"pyproject.toml": strings.Replace(pyprojectText, "numpy<2", "numpy<3", 1)})
	if !slices.Equal(first, bumped) || slices.Equal(first, moved) {
		t.Errorf("first %q, another version %q, another dependency %q", first, bumped, moved)
	}
}

// What a build backend lists requirements from counts, too.
func TestRequirementsOfADynamicTree(t *testing.T) {
	const text = "name = \"x\"\n[python]\nsources = [\"t\"]\n"
	for _, tt := range []struct {
		name, file, content, old, text string
		same                           bool
	}{
		{"poetry", "pyproject.toml", "[tool.poetry]\nversion = \"1\"\ndependencies = { a = \"^1\" }\n", "^1", "^2", false},
		{"poetry's version", "pyproject.toml", "[tool.poetry]\nversion = \"1\"\ndependencies = { a = \"^1\" }\n", `"1"`, `"2"`, true},
		{"flit", "pyproject.toml", "[tool.flit.metadata]\nrequires = [\"a\"]\n", "a\"", "b\"", false},
		{"hatch", "pyproject.toml", "[tool.hatch.metadata.hooks.requirements_txt]\nfiles = [\"reqs.txt\"]\n", "reqs", "deps", false},
		{"a file that setuptools reads", "deps/base.in", "a\n", "a", "b", false},
		{"a file that setup.py reads", "requirements.txt", "a\n", "a", "b", false},
		{"a file that nothing reads", "requirements-dev.txt", "a\n", "a", "b", true},
		{"a file in a comment", "other-requirements.txt", "a\n", "a", "b", true},
	} {
		files := map[string]string{
			"t/pyproject.toml": "[project]\ndynamic = [\"dependencies\"]\n[tool.setuptools.dynamic]\ndependencies = { file = [\"deps/base.in\"] }\n", "t/deps/base.in": "",
			"t/setup.py": "# other-requirements.txt\nsetup(install_requires=open('requirements.txt'), x=open('README.txt'))\n", "t/requirements.txt": "",
		}
		files["t/"+tt.file] = tt.content
		first := lines(t, text, files)
		if files["t/"+tt.file] = strings.Replace(tt.content, tt.old, tt.text, 1); slices.Equal(first, lines(t, text, files)) != tt.same {
			t.Errorf("%s: the same requirements: %v", tt.name, !tt.same)
		}
	}
}

// workspace has a member, a directory, a wheel and a member that names one more.
func workspace() map[string]string {
	return map[string]string{
		"pyproject.toml": pyprojectText + `[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
own = { path = "own" }
many = [{ path = "wheels/a.whl", marker = "x" }, { path = "wheels/b.whl" }]
there = { index = "torch" }
[tool.uv]
find-links = ["https://l.example/@x/me@y", "links"]
[[tool.uv.index]]
url = "./flat/"
[[tool.uv.index]]
url = "https://i.example/simple"
`,
		"uv.lock":                     "version = 1\n",
		"packages/one/pyproject.toml": "[tool.uv.sources]\ndeep = { path = \"../../deep\" }\n",
		"packages/two/README":         "",
		"own/pyproject.toml":          "[project]\ndependencies = [\"six\"]\n",
		"deep/pyproject.toml":         "",
		"wheels/a.whl":                "", "wheels/b.whl": "", ".env": "SECRET=1", "weights.bin": "",
		"links/c.whl": "", "links/deep/d.whl": "", "links/README": "", "flat/e.tar.gz": "", "flat/f.zip": "",
	}
}

func TestProjectFilesAreWhatUVReads(t *testing.T) {
	got := request(t, projectSpec, workspace()).ProjectFiles
	want := []string{
		"pyproject.toml", "flat/e.tar.gz", "flat/f.zip", "links/c.whl", "own/pyproject.toml", "packages/one/pyproject.toml", "deep/pyproject.toml", "wheels/a.whl", "wheels/b.whl", "uv.lock",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	changed := workspace()
	changed["own/pyproject.toml"] = "[project]\ndependencies = [\"seven\"]\n"
	if slices.Equal(lines(t, projectSpec, workspace()), lines(t, projectSpec, changed)) {
		t.Error("another dependency of a member is the same requirement")
	}
	bySpec := strings.Replace(projectSpec, `project = "."`, `lock = "uv.lock"`, 1)
	if diff := cmp.Diff(want, request(t, bySpec, workspace()).ProjectFiles); diff != "" {
		t.Errorf("by the name of its lock (-want +got):\n%s", diff)
	}
}

// A member of a workspace is locked by the uv.lock of its root.
func TestMembersHaveTheLockOfTheirWorkspace(t *testing.T) {
	ofMember := strings.Replace(projectSpec, `project = "."`, `project = "packages/one"`, 1)
	files := workspace()
	files["packages/one/pyproject.toml"] += "[project]\nname = \"one\"\n"
	want := []string{"packages/one/pyproject.toml", "deep/pyproject.toml", "pyproject.toml", "flat/e.tar.gz", "flat/f.zip", "links/c.whl", "own/pyproject.toml", "wheels/a.whl", "wheels/b.whl", "uv.lock"}
	if diff := cmp.Diff(want, request(t, ofMember, files).ProjectFiles); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files["pyproject.toml"] = strings.Replace(files["pyproject.toml"], "packages/*", "apps/*", 1)
	if diff := cmp.Diff(want[:2], request(t, ofMember, files).ProjectFiles); diff != "" {
		t.Errorf("of no workspace (-want +got):\n%s", diff)
	}
}

// A lock is held against what a project declares and no table decides, of it or its
// workspace. Its own name stands for more of its extras.
func TestDeclaredRequirements(t *testing.T) {
	files := map[string]string{
		"pyproject.toml": `[tool.uv]
workspace.members = ["m"]
override-dependencies = ["numpy==2"]
exclude-dependencies = ["six"]
sources.torch = { git = "https://g.example/torch" }
`,
		"m/pyproject.toml": `[project]
name = "My.m"
dependencies = ["numpy<2", "six", "torch>=9", "flask", "own"]
[project.optional-dependencies]
all = ["my-m[gpu, fast_ones]", "my_m[all]", "my-m[mac]; sys_platform == 'darwin'", "a"]
gpu = ["b"]
fast-ones = ["c"]
served = ["f"]
mac = ["d"]
[dependency-groups]
serve = ["my-m[served]", "e"]
[tool.uv.sources]
own = { workspace = true }
`,
	}
	var got []string
	for _, w := range request(t, "name = \"x\"\n[python]\nproject = \"m\"\nextras = [\"all\"]\ngroups = [\"serve\"]\n", files).Declared {
		got = append(got, w.Line)
	}
	if diff := cmp.Diff([]string{"flask", "a", "e", "b", "c", "f"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What uv and the backends of trees may ask for: not the homepage, not what a comment has.
func TestAddressesOfProjects(t *testing.T) {
	got := request(t, "name = \"x\"\n[python]\nproject = \"app\"\nsources = [\"src\", \"src/cc\"]\n", map[string]string{
		"app/pyproject.toml": `# https://not.example
[project]
dependencies = ["d @ git+https://deep.example/d.git?a&b"]
optional-dependencies = { x = ["e @ https://e.example/e.whl"] }
[project.urls]
Homepage = "https://not.example/me/x"
[build-system]
requires = ["f @ https://f.example/f.whl"]
[dependency-groups]
dev = ["g @ https://g.example/g.whl"]
[tool.uv.sources]
a = { git = "https://lab.example:8443/a" }
own = { path = "../own" }
[[tool.uv.index]]
name = "first"
url = "https://project.example"
[[tool.uv.index]]
url = "wheels"
[[tool.uv.index]]
url = "https://flat.example/links"
format = "flat"
[tool.uv]
find-links = ["https://links.example/torch.html", "wheels"]
[tool.uv.pip]
extra-index-url = ["https://pip.example"]
[tool.poetry]
homepage = "https://not.example"
[tool.poetry.dependencies]
p = { git = "ssh://git@poetry.example:2222/p.git" }
[tool.pdm.dev-dependencies]
m = ["m @ https://pdm.example/m.whl"]
[tool.mine]
base = "https://not.example"
`,
		"app/uv.lock":        "[[package]]\nsource = { registry = \"https://lock.example\" }\n[[package]]\nsource = { registry = \"https://lock.example\" }\n[[package]]\nsource = { registry = \"https://flat.example/links\" }\n",
		"own/pyproject.toml": "[build-system]\nrequires = [\"o @ https://o.example/o.whl\"]\n[[tool.uv.index]]\nurl = \"https://unread.example\"\n",
		"app/uv.toml":        "index-url = \"https://settings.example\" # https://not.example\noverride-dependencies = [\"u @ https://u.example/u.whl\"]\n",
		"src/setup.py":       "# https://not.example\nsetup(x='https://home.example')", "src/requirements.txt": "https://line.example/l.whl\n",
		"src/cc/pyproject.toml": "[project]\ndependencies = [\"c @ git+https://cc.example/c\"]\n[project.urls]\nx = \"https://not.example\"\n",
	})
	want := uv.ProjectIndexes{
		URLs:  []string{"https://lock.example", "https://pip.example", "https://project.example", "https://settings.example"},
		Named: []string{"https://pip.example", "https://project.example", "https://settings.example"},
		Links: []string{"https://flat.example/links", "https://links.example/torch.html"}, Names: map[string]string{"first": "https://project.example"},
		Default: true, Locked: true,
	}
	if diff := cmp.Diff(want, got.Uses); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"project", strings.Join(got.ProjectTexts, ""), "https://deep.example/d.git?a&b https://e.example/e.whl https://f.example/f.whl https://g.example/g.whl https://lab.example:8443/a https://o.example/o.whl ssh://git@poetry.example:2222/p.git https://pdm.example/m.whl https://u.example/u.whl"},
		{"lock", got.LockText, "https://lock.example"},
		{"trees", strings.Join(got.TreeTexts, ""), "https://cc.example/c"},
		{"programs", strings.Join(got.TreePrograms, ""), "https://home.example https://line.example/l.whl"},
	} {
		for address := range strings.FieldsSeq(tt.want) {
			if !strings.Contains(tt.text, address) {
				t.Errorf("%s: %s is not in %s", tt.name, address, tt.text)
			}
		}
		if strings.Contains(tt.text, "not.example") {
			t.Errorf("%s: an address that nothing requires is in %s", tt.name, tt.text)
		}
	}
}

func TestFilesOfAPylock(t *testing.T) {
	const lockText = `lock-version = "1.0"
[[packages]]
name = "a"
wheels = [{ path = "../wheels/a.whl" }, { url = "https://x.example/a.whl" }]
sdist = { path = "a.tar.gz" }
[[packages]]
name = "b"
[packages.archive]
path = "../../b.zip"
`
	r := request(t, "name = \"x\"\n[python]\nlock = \"locks/pylock.gpu.toml\"\n", map[string]string{"locks/pylock.gpu.toml": lockText})
	if diff := cmp.Diff([]string{"locks/pylock.gpu.toml", "wheels/a.whl", "locks/a.tar.gz"}, r.ProjectFiles); diff != "" || r.LockText != lockText {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProblemsOfProjectFiles(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		content    map[string]string
		want       string
	}{
		{"no pyproject", projectSpec, map[string]string{"a": ""}, "open pyproject.toml: file does not exist"},
		{"no TOML", projectSpec, map[string]string{"pyproject.toml": "a = 1\n\n[project\n"}, "pyproject.toml:3: toml: "},
		{"another type", projectSpec, map[string]string{"pyproject.toml": "[tool]\nuv = 3\n"}, "pyproject.toml:2: toml: "},
		{"member that is none", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.workspace]\nmembers = [\"m\"]\n", "m/pyproject.toml": "]"}, "m/pyproject.toml:1: toml: "},
		{"source that leaves", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.sources]\na = { path = \"../a\" }\n"}, `pyproject.toml: source "../a": "../a" leads out of the directory of image.toml`},
		{"source of a member that leaves", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.workspace]\nmembers = [\"m\"]\n", "m/pyproject.toml": "[tool.uv.sources]\na = { path = \"../../a\" }\n"}, `m/pyproject.toml: source "../../a": `},
		{"member's pattern", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.workspace]\nmembers = [\"[\"]\n"}, `pyproject.toml: workspace member "[": syntax error in pattern`},
		{"login of an index", projectSpec, map[string]string{"pyproject.toml": "[tool.uv]\n[[tool.uv.index]]\nurl = \"https://me:secret@i.example/simple\"\n"}, "pyproject.toml:3: an address at i.example contains a user name or password"},
		{"login in a uv.lock", projectSpec, map[string]string{"pyproject.toml": "[project]\n", "uv.lock": "source = { git = \"https://git@g.example/r\" }\nsource = { git = \"https://me@g.example:8080/r?rev=1#2\" }\n"}, "uv.lock:2: an address at g.example:8080 contains"},
		{"login in a pylock", "name = \"x\"\n[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": "[[packages]]\narchive = { url = 'http://:secret@f.example/a@1.zip' }\n"}, "pylock.toml:2: an address at f.example contains"},
		{"login of a tree", "name = \"x\"\n[python]\nsources = [\"t\"]\n", map[string]string{"t/pyproject.toml": "[project]\ndependencies = [\"a @ https://me:pw@f.example/a.whl\"]\n"}, "t/pyproject.toml:2: an address at f.example contains"},
		{"directory of wheels that leaves", projectSpec, map[string]string{"pyproject.toml": "[tool.uv]\nfind-links = [\"../wheels\"]\n"}, `pyproject.toml: index "../wheels": "../wheels" leads out of the directory of image.toml`},
		{"pyproject of a tree", "name = \"x\"\n[python]\nsources = [\"t\"]\n", map[string]string{"t/pyproject.toml": "]"}, "t/pyproject.toml:1: toml: "},
		{"pylock", "name = \"x\"\n[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": "a = 1\nb = \n"}, "pylock.toml:2: toml: "},
		{"a bomb", projectSpec, map[string]string{"pyproject.toml": "[tool.uv]\nx" + strings.Repeat(".a", 1_900_000) + " = 1\n"}, "pyproject.toml:2:1: more than 32 nested tables and lists"},
		{"a bomb of a lock", projectSpec, map[string]string{"pyproject.toml": "[project]\n", "uv.lock": "[a" + strings.Repeat(".a", 1_000_000) + "]\n"}, "uv.lock:1:2: more than 32 nested tables"},
		{"a bomb of a pylock", "name = \"x\"\n[python]\nlock = \"pylock.toml\"\n", map[string]string{"pylock.toml": "a = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)}, "pylock.toml:1:1: more than 32 nested tables"},
		{"too large", projectSpec, map[string]string{"pyproject.toml": strings.Repeat("#", 4<<20+1)}, `"pyproject.toml" has more than 4194304 bytes`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := problem(t, tt.spec, tt.content); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// builders returns the packages of builders, by set.
func builders(t *testing.T, text string, content map[string]string) map[string]string {
	t.Helper()
	sets := map[string]string{}
	for _, r := range read(t, text, content).Lock.Requests {
		if r.Set.Kind == lock.SetBuilder {
			sets[r.Set.String()] = " " + strings.Join(r.Packages, " ") + " "
		}
	}
	return sets
}

func TestGitIsInTheBuilderWhereSomethingComesFromIt(t *testing.T) {
	const (
		byFile  = "name = \"x\"\n[python]\nrequirements = [\"r.txt\"]\nconstraints = [\"c.txt\"]\n"
		byLock  = "name = \"x\"\n[python]\nlock = \"pylock.toml\"\n"
		byTree  = "name = \"x\"\n[python]\nsources = [\"t\"]\n"
		address = "git+https://g.example/r@0123456789012345678901234567890123456789"
	)
	for _, tt := range []struct {
		name, spec string
		content    map[string]string
		want       bool
	}{
		{"requirement", byFile, map[string]string{"r.txt": "r @ " + address + "\n", "c.txt": ""}, true},
		{"constraint", byFile, map[string]string{"r.txt": "r\n", "c.txt": "r @ " + address + "\n"}, true},
		{"neither", byFile, map[string]string{"r.txt": "git\nhatch-vcs\n", "c.txt": ""}, false},
		{"override", byFile + "overrides = [\"r @ " + address + "\"]\n", map[string]string{"r.txt": "r\n", "c.txt": ""}, true},
		{"build requirement", byFile + "[python.build-requires]\nr = [\"x @ " + address + "\"]\n", map[string]string{"r.txt": "r\n", "c.txt": ""}, true},
		{"pylock", byLock, map[string]string{"pylock.toml": "[[packages]]\nname = \"a\"\nvcs = { type = \"git\" }\n"}, true},
		{"pylock without", byLock, map[string]string{"pylock.toml": "[[packages]]\nname = \"hatch-vcs\"\n"}, false},
		{"source of uv", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.sources]\na = { git = \"https://g.example/r\" }\n"}, true},
		{"project that is called so", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.sources]\ngit = { index = \"torch\" }\n"}, false},
		{"dependency", projectSpec, map[string]string{"pyproject.toml": "[project]\ndependencies = [\"r @ " + address + "\"]\n"}, true},
		{"group", projectSpec, map[string]string{"pyproject.toml": "[dependency-groups]\na = [\"r @ " + address + "\"]\n"}, true},
		{"member", projectSpec, map[string]string{"pyproject.toml": "[tool.uv.workspace]\nmembers = [\"m\"]\n", "m/pyproject.toml": "[tool.uv.sources]\na = { git = \"https://g.example/r\" }\n"}, true},
		{"uv.lock", projectSpec, map[string]string{"pyproject.toml": "", "uv.lock": "[[package]]\nsource = { git = \"https://g.example/r\" }\n"}, true},
		{"uv.lock without", projectSpec, map[string]string{"pyproject.toml": "", "uv.lock": "[[package]]\nsource = { registry = \"https://github.example/simple\" }\n"}, false},
		{"tree", byTree, map[string]string{"t/pyproject.toml": "[build-system]\nrequires = [\"r @ " + address + "\"]\n"}, true},
		{"tree of Poetry", byTree, map[string]string{"t/pyproject.toml": "[tool.poetry.dependencies]\na = { git = \"https://g.example/r\" }\n"}, true},
		{"tree of Poetry without", byTree, map[string]string{"t/pyproject.toml": "[tool.poetry.dependencies]\ngit = { version = \"^1\" }\n"}, false},
		{"list of a tree", byTree, map[string]string{"t/setup.py": "open('requirements.txt')", "t/requirements.txt": "r @ " + address + "\n"}, true},
		{"list of a tree without", byTree, map[string]string{"t/setup.py": "open('requirements.txt') # r @ " + address, "t/requirements.txt": "r\n"}, false},
		{"tree without", byTree, map[string]string{"t/setup.py": ""}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := builders(t, tt.spec, tt.content)["builder"]
			if strings.Contains(got, " git ") != tt.want {
				t.Errorf("builder is %q", got)
			}
			if strings.Contains(got, "pip") {
				t.Errorf("the builder has pip: %q", got)
			}
			if !strings.Contains(got, " python3-packaging ") {
				t.Errorf("the builder lacks python3-packaging: %q", got)
			}
		})
	}
}

// A variant's builder has git only for its own requirements.
func TestGitInTheBuilderOfAVariant(t *testing.T) {
	const variants = `name = "x"
[python]
requirements = ["plain.txt"]
[variant.git.python]
requirements = ["git.txt"]
[variant.none.python]
requirements = []
[variant.same]
`
	root := map[string]string{"plain.txt": "a\n", "git.txt": "r @ git+https://g.example/r\n"}
	got := builders(t, variants, root)
	if strings.Contains(got["builder"], " git ") || !strings.Contains(got["builder@git"], " git ") {
		t.Errorf("got %q", got)
	}
	if none := got["builder@none"]; none != " binutils python3 " {
		t.Errorf("builder of no Python packages is %q", none)
	}
	if same, ok := got["builder@same"]; ok {
		t.Errorf("builder@same is %q", same)
	}
	swapped := strings.NewReplacer("plain.txt", "git.txt", "git.txt", "plain.txt").Replace(variants)
	got = builders(t, swapped, root)
	if !strings.Contains(got["builder"], " git ") || strings.Contains(got["builder@git"], " git ") || strings.Contains(got["builder@none"], " git ") {
		t.Errorf("got %q", got)
	}
}

// A variant without packages doesn't get production's.
func TestVariantsWithoutPackages(t *testing.T) {
	const text = "name = \"x\"\n[python]\nrequirements = [\"r.txt\"]\n[variant.bare.python]\nrequirements = []\n"
	got := read(t, text, map[string]string{"r.txt": "six\n"}).Lock
	if diff := cmp.Diff([]lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{"six"}}, {Set: lock.ParseSet("python@bare")}}, got.Python); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l := lock.Lock{Requirements: got, Distributions: []lock.Distribution{{Name: "six", For: []lock.Set{lock.ParseSet("python")}}}}
	if got := l.PythonIn("bare"); got != nil {
		t.Errorf("the variant gets %v", got)
	}
}

// Without dependencies in a pyproject.toml, only a uv.lock can provide them.
func TestProjectsSayWhatTheyNeed(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"of Poetry", "[tool.poetry.dependencies]\nidna = \"*\"\n", "pyproject.toml: no [project] table to declare its dependencies"},
		{"empty", "", "pyproject.toml: no [project] table to declare its dependencies"},
		{"dynamic", "[project]\ndynamic = [\"dependencies\"]\n", "pyproject.toml: its dependencies are dynamic, and not listed in it"},
		{"dynamic version", "[project]\ndynamic = [\"version\"]\n", ""},
		{"root of a workspace", "[tool.uv.workspace]\nmembers = []\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"pyproject.toml": tt.content}
			err := problem(t, projectSpec, files)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want || failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			files["uv.lock"] = "version = 1\n"
			if err := problem(t, projectSpec, files); err != nil {
				t.Errorf("with a lock: %v", err)
			}
		})
	}
}

func TestPlacesOfWords(t *testing.T) {
	const text = "name = \"x\"\n[python]\nproject = \".\"\nextras = [\"GPU\"]\ngroups = [\"a\", \"b\"]\noverrides = [\n  \"six==1\",\n]\nexcludes = [\"A.b\"]\noptional = [\"c\"]\n" +
		"[python.build-requires]\nApex = [\"wheel\"]\n[[python.index]]\nname = \"i\"\nurl = \"https://i.example\"\npackages = [\"torch\"]\n"
	want := map[string]string{
		"extras gpu": "image.toml:4:11", "groups a": "image.toml:5:11", "groups b": "image.toml:5:16", "overrides six==1": "image.toml:7:3", "excludes a-b": "image.toml:9:13",
		"optional c": "image.toml:10:13", "build-requires apex": "image.toml:12:1", "build-requires apex wheel": "image.toml:12:9", "packages torch": "image.toml:16:13",
	}
	if diff := cmp.Diff(want, request(t, text, map[string]string{"pyproject.toml": pyprojectText}).Places); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestModulesMayLieInTrees(t *testing.T) {
	const git = "[[git]]\nurl = \"https://git.example/a\"\ncommit = \"0123456789012345678901234567890123456789\"\npath = \"/opt/a\"\n"
	for text, want := range map[string]bool{
		"":  false,
		git: true,
		"[app]\nsource = \"app\"\nenv = { PYTHONPATH = \"/opt/a\" }\n": true,
		"[app]\nsource = \"app\"\nenv = { PATH = \"/opt/a\" }\n":       false,
	} {
		files := map[string]string{"r.txt": "six\n"}
		if r := request(t, "name = \"x\"\n[python]\nrequirements = [\"r.txt\"]\n"+text, files); r.Trees != want {
			t.Errorf("%s: %v", text, r.Trees)
		}
	}
}
