package e2etest

import (
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

// extension returns an sdist like that of insightface 0.7.3: a setup.py without a
// pyproject.toml that imports undeclared modules and compiles C++.
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
[app]
source = "app"
`

// EveryKind makes a project with every kind of requirement.
func EveryKind(t *testing.T) (string, *testworld.Index) {
	t.Helper()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{Path: "simple", JSON: true}, append(SetupTools(t),
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
	dir := PythonProject(t, extensionSpec, map[string]string{
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
		"app/main.py":                     "",
	})
	Edit(t, filepath.Join(dir, "image.toml"), `packages = ["python3"]`, `packages = ["libstdc++6", "python3"]`) // of the extension
	return dir, x
}
