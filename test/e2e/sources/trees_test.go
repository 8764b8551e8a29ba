package sources

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// treeSpec requires the runtime of examples/faceblend, which has Debian's NumPy: an engine
// makes it once for these tests and for the example's.
const treeSpec = `name = "faceblend"
[debian]
suites = ["bookworm", "bookworm-updates", "bookworm-security"]
components = ["main", "non-free"]
packages = ["libnvrtc11.2", "libstdc++6", "python3", "python3-numpy"]
[app]
source = "app"
` + e2etest.Builder + `
[python]
sources = ["svc"]
`

const treeProject = `[build-system]
requires = ["setuptools>=61", "wheel"%s]
build-backend = "setuptools.build_meta"
[project]
name = "svc"
version = "1.0"
dependencies = ["numpy>=1.20"%s]
`

// tree makes a project with a source tree whose pyproject.toml requires more.
func tree(t *testing.T, build, more string) string {
	t.Helper()
	return e2etest.PythonProject(t, "", map[string]string{
		"image.toml":         treeSpec,
		"svc/pyproject.toml": strings.Replace(strings.Replace(treeProject, "%s", build, 1), "%s", more, 1), "svc/svc.py": "", "app/main.py": "",
	})
}

// A tree's dependencies are installed: from Debian's packages if name and version fit, else
// from an index.
func TestRealTreesBringTheirDependencies(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{}, testworld.Wheel{Name: "numpy", Version: "9.0"}, testworld.Wheel{Name: "own-two", Version: "9.0"}, testworld.Wheel{Name: "needs-two", Requires: []string{"own-two"}})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	for name, tt := range map[string]struct {
		dir          string
		image, build []string
	}{
		"declared":       {tree(t, "", `, "alpha[x]; python_version > '3'", "gone; sys_platform == 'win32'"`), []string{"alpha 1.0", "beta 2.1"}, []string{}},
		"Debian's older": {tree(t, `, "worldbackend"`, `, "numpy>=9"`), []string{"numpy 9.0"}, []string{"worldbackend 1.0"}},
		"dynamic": {e2etest.PythonProject(t, "", map[string]string{
			"image.toml": treeSpec, "svc/setup.py": "from setuptools import setup\nsetup(name='svc', version='1.0', install_requires=['numpy', 'beta' + '<2'])\n",
			"app/main.py": "",
		}), []string{"beta 1.0"}, []string{}},
		"each other": {e2etest.PythonProject(t, "", map[string]string{
			"image.toml":         strings.Replace(treeSpec, `["svc"]`, `["svc", "two"]`, 1),
			"svc/pyproject.toml": strings.Replace(strings.Replace(treeProject, "%s", "", 1), "%s", `, "Own.Two[x]", "needs-two"`, 1), "svc/svc.py": "", "app/main.py": "",
			"two/pyproject.toml": "[project]\nname = \"own-two\"\nversion = \"1\"\noptional-dependencies.x = [\"beta<2\"]\n", "two/two.py": "",
		}), []string{"beta 1.0", "needs-two 1.0"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u.Build(t, "lock", tt.dir)
			l := e2etest.ReadLock(t, tt.dir)
			if diff := cmp.Diff(tt.image, e2etest.Titles(l)); diff != "" {
				t.Errorf("the image's (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.build, e2etest.BuildTitles(l, "svc")); diff != "" {
				t.Errorf("the build's (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		dir := tree(t, "", `, "gone"`)
		u.Fails(t, 2, []string{"python: ", "gone was not found in the package registry"}, "lock", dir)
		e2etest.Edit(t, filepath.Join(dir, "svc", "pyproject.toml"), "[project]", "[project")
		u.Fails(t, 2, []string{"svc/pyproject.toml"}, "lock", dir)
	})
}

// If nothing comes from an index, neither uv nor an index is used.
func TestRealTreesNeedNoIndex(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	u.Env = []string{"LAMINA_PYTHON_INDEX=http://127.0.0.1:9/simple", "HTTPS_PROXY=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9"}
	dir := tree(t, "", "")
	u.Build(t, "lock", dir)
	l := e2etest.ReadLock(t, dir)
	if l.UV != (lock.UV{}) || len(l.Distributions) > 0 {
		t.Errorf("the lock has uv %+v and %d distributions", l.UV, len(l.Distributions))
	}
	u.Build(t, dir)
	if site := strings.Join(e2etest.Site(t, u), "\n"); !strings.Contains(site, "svc.py") {
		t.Errorf("no svc.py in\n%s", site)
	}
}

// A variant's own tree brings its own dependencies, even if it has the name of another one.
func TestRealTreesOfVariants(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	project := func(more string) string {
		return strings.Replace(strings.Replace(treeProject, "%s", "", 1), "%s", more, 1)
	}
	dir := e2etest.PythonProject(t, "", map[string]string{
		"image.toml":         treeSpec + "[variant.big.python]\nsources = [\"big/svc\"]\n",
		"svc/pyproject.toml": project(`, "beta<2"`), "svc/svc.py": "", "app/main.py": "",
		"big/svc/pyproject.toml": project(`, "alpha"`), "big/svc/svc.py": "",
	})
	u.Build(t, "lock", dir)
	l := e2etest.ReadLock(t, dir)
	for variant, want := range map[string][]string{"": {"beta 1.0"}, "big": {"alpha 1.0", "beta 2.1"}} {
		got := []string{}
		for _, d := range l.PythonIn(variant) {
			got = append(got, d.Name+" "+d.Version)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("variant %q (-want +got):\n%s", variant, diff)
		}
	}
}
