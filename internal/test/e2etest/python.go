package e2etest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/test/imagetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// Builder is a [builder] with what Lamina adds for Python packages and git anyway. An engine
// makes it once for all specs that use it, which is most of the cost of a test on a cold
// engine.
const Builder = `
[builder]
packages = ["git", "python3-build", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel"]
`

// Compiler is the [builder] of [EveryKind], spelled out in the same way.
const Compiler = `
[builder]
packages = ["g++", "git", "python3-build", "python3-dev", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel"]
`

// PythonProject makes a directory with some files and an image.toml that requires only Python
// from Debian. It has the common builder, unless toml sets one or a requirement needs git.
func PythonProject(t *testing.T, toml string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "faceblend")
	all := map[string]string{"image.toml": "name = \"faceblend\"\n[debian]\npackages = [\"python3\"]\n" + toml}
	maps.Copy(all, files)
	if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(text string) bool { return strings.Contains(text, "git+") || strings.Contains(text, "[builder]") }) {
		all["image.toml"] += Builder
	}
	for name, content := range all {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil { //nolint:gosec // as a user's own
			t.Fatal(err)
		}
		Write(t, filepath.Join(dir, name), []byte(content))
	}
	return dir
}

// Needs makes a project with one requirement file.
func Needs(t *testing.T, lines ...string) string {
	t.Helper()
	return PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n",
		map[string]string{"requirements.txt": strings.Join(lines, "\n") + "\n"})
}

// ReadLock reads the lock of a project.
func ReadLock(t *testing.T, dir string) lock.Lock {
	t.Helper()
	name := filepath.Join(dir, "image.lock")
	text, err := os.ReadFile(name) //nolint:gosec // a directory of the test
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Titles returns "name version" of what the production image installs.
func Titles(l lock.Lock) []string { return titles(l.PythonIn("production")) }

// BuildTitles returns "name version" of what a project is built with.
func BuildTitles(l lock.Lock, project string) []string {
	return titles(l.BuildIn(project, "production"))
}

func titles(dists []lock.Distribution) []string {
	list := make([]string, 0, len(dists))
	for _, d := range dists {
		list = append(list, d.Name+" "+d.Version)
	}
	return list
}

// Find returns a distribution of a lock.
func Find(t *testing.T, l lock.Lock, name string) lock.Distribution {
	t.Helper()
	i := slices.IndexFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("the lock has no %s", name)
	}
	return l.Distributions[i]
}

// sitePackages matches where wheels are installed.
var sitePackages = regexp.MustCompile(`^/usr/local/lib/python3\.\d+/dist-packages/`)

// Site returns the files of the production image below site-packages.
func Site(t *testing.T, u *User) []string {
	t.Helper()
	l, image := u.Image(t, "production")
	var list []string
	for p, e := range Files(t, l, image) {
		if at := sitePackages.FindString(p); at != "" && !e.Mode.IsDir() {
			list = append(list, p[len(at):])
		}
	}
	slices.Sort(list)
	return list
}

// PureIndex publishes an index of a few wheels in pure Python.
func PureIndex(t *testing.T, o testworld.IndexOptions, more ...testworld.Distribution) *testworld.Index {
	t.Helper()
	return testworld.New(t).Index(o, append([]testworld.Distribution{
		testworld.Backend(),
		testworld.Wheel{Name: "alpha", Version: "1.0", Requires: []string{"beta>=2"}},
		testworld.Wheel{Name: "beta", Version: "1.0"},
		testworld.Wheel{Name: "beta", Version: "2.1"},
	}, more...)...)
}

// Verify checks every blob and header of the production image.
func Verify(t *testing.T, u *User) {
	t.Helper()
	l, image := u.Image(t, "production")
	if err := imagetest.Verify(t.Context(), l.Store(), image.Desc); err != nil {
		t.Errorf("verifying the image:\n%v", err)
	}
}

// FormatOne returns a lock in format 1, which had no uv.
func FormatOne(l lock.Lock) []byte {
	l.UV, l.Pages, l.Distributions = lock.UV{}, nil, slices.Clone(l.Distributions)
	for i := range l.Distributions {
		l.Distributions[i].Index, l.Distributions[i].Top = "", nil
	}
	header, rest, _ := strings.Cut(string(l.Format()), "\n")
	_, body, _ := strings.Cut(rest, "\n")
	body = strings.Replace(body, fmt.Sprintf("version  = %d", lock.Version), "version  = 1", 1)
	return fmt.Appendf(nil, "%s\ndigest   = %q\n%s", header, digest.FromString(body), body)
}
