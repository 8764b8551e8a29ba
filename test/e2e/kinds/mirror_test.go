package kinds

import (
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A lock made behind one mirror builds behind another one that has the same files
// elsewhere. An index that the spec names is not mirrored.
func TestRealAnotherMirror(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	u.Cache = t.TempDir()
	fresh := testworld.Wheel{Name: "fresh", Files: map[string]string{"fresh.py": "# " + time.Now().String()}}
	bound := testworld.Wheel{Name: "bound", Files: map[string]string{"bound.py": "# " + time.Now().String()}}
	here, there, private := testworld.New(t), testworld.New(t), testworld.New(t)
	first := here.Index(testworld.IndexOptions{}, fresh)
	second := there.Index(testworld.IndexOptions{Path: "mirror/pypi", JSON: true}, fresh, bound)
	own := private.Index(testworld.IndexOptions{}, bound)
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n[[python.index]]\nname = \"private\"\nurl = \""+own.URL+"\"\npackages = [\"bound\"]\n",
		map[string]string{"requirements.txt": "fresh\nbound\n"})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + first.URL}
	u.Build(t, "lock", dir)
	here.Stop()
	u.Fails(t, 75, []string{"fresh 1.0"}, dir)
	u.Env = nil
	u.Build(t, dir, "--python-index", second.URL)
	if site := strings.Join(e2etest.Site(t, u), "\n"); !strings.Contains(site, "fresh.py") || !strings.Contains(site, "bound.py") {
		t.Errorf("installed:\n%s", site)
	}
	if there.Requests(second.FilePath(fresh.FileName())) == 0 || there.Requests(second.FilePath(bound.FileName())) > 0 || private.Requests(own.FilePath(bound.FileName())) == 0 {
		t.Error("the files did not come from the right indexes")
	}
	there.Stop()
	private.Stop()
	u.Build(t, dir, "--python-index", second.URL) // all is there
}

// If a mirror has lost a file, the file comes from where it was locked, provided that
// the user names that index.
func TestRealMirrorThatDrops(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	u.Cache = t.TempDir()
	fresh := testworld.Wheel{Name: "fresh", Files: map[string]string{"fresh.py": "# " + time.Now().String()}}
	here, there := testworld.New(t), testworld.New(t)
	first := here.Index(testworld.IndexOptions{}, fresh)
	second := there.Index(testworld.IndexOptions{Path: "mirror", JSON: true}, fresh)
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n", map[string]string{"requirements.txt": "fresh\n"})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + first.URL}
	u.Build(t, "lock", dir)
	there.Remove(second.FilePath(fresh.FileName()))
	here.Forget()
	u.Env = nil
	u.Fails(t, 3, []string{"the lock has it from an index that is not configured", "hint: name an index that has it"}, dir, "--python-index", second.URL)
	if n := here.Requests(first.FilePath(fresh.FileName())); n > 0 {
		t.Errorf("an index that is not named got %d requests", n)
	}
	u.Env = []string{"UV_DEFAULT_INDEX=" + second.URL, "UV_INDEX=" + first.URL}
	r := u.Build(t, dir)
	if !strings.Contains(r.Stderr, "from where it was locked") || here.Requests(first.FilePath(fresh.FileName())) == 0 {
		t.Errorf("nothing was reported, or fetched elsewhere:\n%s", r.Stderr)
	}
}
