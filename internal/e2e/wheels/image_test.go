package wheels

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/e2etest"
	"lamina.build/internal/testworld"
	"lamina.build/lock"
)

// extension is an sdist in the manner of insightface 0.7.3: a setup.py without
// a pyproject.toml, that imports at its top what nobody declares, and compiles C++.
func extension() testworld.Sdist {
	return testworld.Sdist{Name: "facemesh", Version: "0.7.3", Requires: []string{"beta"}, Files: map[string]string{
		"setup.py": `
import generator
from setuptools import Extension, setup
generator.write("facemesh/core.cc")
setup(
    name="facemesh", version="0.7.3", packages=["facemesh"], install_requires=["beta"],
    ext_modules=[Extension("facemesh.core", ["facemesh/core.cc"])],
)
`,
		"facemesh/__init__.py": "from facemesh.core import answer\n",
	}}
}

// generator stands for Cython: it writes the source that is compiled.
func generator() testworld.Wheel {
	return testworld.Wheel{Name: "generator", Version: "3.0", Files: map[string]string{"generator/__init__.py": `
SOURCE = '''
#include <Python.h>
#include <string>
static PyObject *answer(PyObject *, PyObject *) { return PyLong_FromSize_t(std::string(42, 'x').size()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, __FILE__}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "core", nullptr, -1, methods};
PyMODINIT_FUNC PyInit_core() { return PyModule_Create(&module); }
'''
def write(path):
    open(path, "w").write(SOURCE)
`}}
}

const extensionSpec = `
[builder]
packages = ["g++", "python3-dev"]
[python]
requirements = ["requirements.txt"]
constraints  = ["constraints.txt"]
[python.build-requires]
facemesh = ["generator==3.0", "setuptools", "wheel"]
[smoke]
imports = ["alpha", "beta", "treelib"]
run     = [["python3", "-c", "import facemesh, direct; assert facemesh.answer() == 42"], ["alpha-tool"]]
`

// everyKind is a project that has every kind of requirement.
func everyKind(t *testing.T) (string, *testworld.Index) {
	t.Helper()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{Path: "simple", JSON: true}, append(e2etest.SetupTools(t),
		testworld.Backend(), extension(), generator(),
		testworld.Wheel{Name: "alpha", Version: "1.0", Requires: []string{"beta>=2"}, Scripts: map[string]string{"alpha-tool": "alpha:main"}, Files: map[string]string{
			"alpha/__init__.py": "def main():\n    print('alpha runs')\n", "alpha/tests/test_alpha.py": "", "alpha/lib/libx.a": "!<arch>", "alpha/py.typed": "", "alpha/api.pyi": "",
		}},
		testworld.Wheel{Name: "beta", Version: "1.0"}, testworld.Wheel{Name: "beta", Version: "2.1"}, testworld.Wheel{Name: "beta", Version: "3.0"},
		testworld.Wheel{Name: "winonly", Version: "1.0"},
		testworld.Wheel{Name: "heavy", Version: "1.0", Size: 101e6},
	)...)
	direct := w.Index(testworld.IndexOptions{Path: "elsewhere"}, testworld.Wheel{Name: "direct", Version: "0.1"})
	tree := w.Git("treelib", map[string]string{
		"python/pyproject.toml": "[build-system]\nrequires = [\"setuptools>=60\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"treelib\"\nversion = \"2.0\"\n",
		"python/treelib.py":     "",
	})
	own := testworld.Wheel{Name: "own", Version: "5.0"}
	return project(t, extensionSpec, map[string]string{
		"constraints.txt": "beta<3\n",
		"requirements.txt": strings.Join([]string{
			"--index-url " + x.URL, "--find-links wheels", "-r more.txt",
			"direct @ " + direct.FileURL("direct-0.1-py3-none-any.whl"),
			"treelib @ git+" + tree.URL + "@" + tree.Commit + "#subdirectory=python",
			`winonly; sys_platform == "win32"`,
		}, "\n"),
		"more.txt":                        "Alpha\nfacemesh==0.7.3\nown\nheavy\n",
		"wheels/" + own.FileName():        string(own.Bytes(t)),
		"wheels/not-a-wheel.txt":          "",
		"wheels/other-1-py3-none-any.whl": "",
	}), x
}

func TestRealEveryKindOfRequirement(t *testing.T) {
	u := e2etest.NewUser(t)
	dir, x := everyKind(t)
	u.Build(t, dir)
	l := readLock(t, dir)
	want := []string{"alpha 1.0", "beta 2.1", "direct 0.1", "facemesh 0.7.3", "heavy 1.0", "own 5.0", "treelib 2.0"}
	if diff := cmp.Diff(want, titles(l, lock.SetPython)); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	for set, want := range map[string]string{"facemesh": "generator setuptools wheel", "treelib": "setuptools wheel"} {
		var names []string
		for _, title := range titles(l, lock.BuildSet(set)) {
			names = append(names, strings.Fields(title)[0])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s is built with %s, want %s", set, got, want)
		}
	}
	if d := find(t, l, "heavy"); d.Size < 101e6 || d.Unpacked < 101e6 || d.URL != x.FileURL(d.File) {
		t.Errorf("heavy is locked as %+v", d)
	}
	if d := find(t, l, "own"); d.URL != "file:wheels/own-5.0-py3-none-any.whl" {
		t.Errorf("own is locked as %+v", d)
	}
	verify(t, u)
	_, image := u.Image(t, "production")
	var layers []string
	for name := range e2etest.Layers(image) {
		layers = append(layers, name)
	}
	slices.Sort(layers)
	wantLayers := []string{"runtime 93 Debian packages", "wheels 4 small wheels", "wheels facemesh 0.7.3", "wheels heavy 1.0", "wheels treelib 2.0"}
	wantLayers[0] = layers[0] // Debian's number is its own
	if diff := cmp.Diff(wantLayers, layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	checkSite(t, site(t, u))
}

// checkSite looks for what an installed wheel has and has not.
func checkSite(t *testing.T, files []string) {
	t.Helper()
	for _, want := range []string{
		"alpha/__init__.py", "alpha/__pycache__/__init__.cpython-311.pyc", "alpha-1.0.dist-info/RECORD", "alpha/py.typed",
		"facemesh/core.cpython-311-x86_64-linux-gnu.so", "heavy/blob.bin", "treelib.py",
	} {
		if !slices.Contains(files, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	for _, file := range files {
		base := filepath.Base(file)
		if strings.Contains(file, "/tests/") || slices.Contains([]string{".a", ".pyi", ".cc"}, filepath.Ext(file)) ||
			slices.Contains([]string{"INSTALLER", "REQUESTED", "direct_url.json"}, base) ||
			strings.HasPrefix(file, "generator") || strings.HasPrefix(file, "setuptools") {
			t.Errorf("the image has %s", file)
		}
	}
}

// A change of one small wheel moves the layer of the small ones, and no other.
func TestRealChangeOfAWheelMovesItsLayer(t *testing.T) {
	u := e2etest.NewUser(t)
	x := pureIndex(t, testworld.IndexOptions{JSON: true},
		testworld.Wheel{Name: "heavy", Version: "1.0", Size: 101e6},
		testworld.Wheel{Name: "medium", Version: "1.0", Size: 11e6},
		testworld.Sdist{Name: "gamma", Version: "1.0", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend"},
	)
	dir := needs(t, "--index-url "+x.URL, "alpha", "heavy", "medium", "gamma")
	u.Build(t, dir)
	_, before := u.Image(t, "production")
	x.Publish(testworld.Wheel{Name: "alpha", Version: "1.1", Requires: []string{"beta>=2"}})
	r := u.Build(t, dir, "--relock", "--progress", "rawjson")
	_, after := u.Image(t, "production")
	var moved []string
	for name, d := range e2etest.Layers(after) {
		if e2etest.Layers(before)[name] != d {
			moved = append(moved, name)
		}
	}
	if diff := cmp.Diff([]string{"wheels 2 small wheels"}, moved); diff != "" {
		t.Errorf("layers that moved (-want +got):\n%s", diff)
	}
	if !strings.Contains(r.Stderr, "~ python alpha 1.0 → 1.1") {
		t.Errorf("the change of the lock is not told:\n%s", e2etest.Tail(r.Stderr))
	}
	ran, _ := e2etest.Execs(r.Stderr)
	for _, name := range ran {
		if strings.Contains(name, "compile") || strings.Contains(name, "heavy") || strings.Contains(name, "medium") {
			t.Errorf("%q ran although nothing of it changed", name)
		}
	}
}
