package wheels

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// treeProject makes an app that imports from a git tree in its directory.
func treeProject(t *testing.T, g *testworld.Git, commit, more string) string {
	t.Helper()
	return e2etest.PythonProject(t, e2etest.Compiler+`[[git]]
url = "`+g.URL+`"
commit = "`+commit+`"
path = "/app/tree"
`+more+`
[app]
source = "app"
entrypoint = ["/usr/bin/python3", "/app/main.py"]
[smoke]
run = [["/usr/bin/python3", "/app/main.py"]]
`, map[string]string{"app/main.py": "import tree.answer\nassert tree.answer.TEXT\n"})
}

// A git tree is a layer, the same on an engine that never saw it, without its excluded
// files. Its login is nowhere afterwards.
func gitTree(t *testing.T, there *e2etest.User) {
	t.Helper()
	const password = e2etest.Secret + "-of-the-tree"
	u, w := e2etest.NewUser(t), testworld.New(t)
	g := w.Git("tree", map[string]string{
		"src/answer.py": "TEXT = '" + time.Now().String() + "'\n", "src/run.sh": "#!/bin/sh\n", "src/assets/film.mp4": "x", "README.md": "x",
	})
	g.Symlink("src/link.py", "answer.py")
	g.Push(nil)
	below := testworld.New(t).Git("below", map[string]string{"below.py": "# " + time.Now().String()})
	g.Submodule("src/below", below)
	w.Protect("git", "me", password)
	netrc := t.TempDir() + "/netrc"
	e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password "+password+"\n"))
	u.Env = []string{"NETRC=" + netrc}
	dir := treeProject(t, g, g.Commit, `subdir = "src"
exclude = ["assets"]
[[git]] # its host may be asked
url = "`+below.URL+`"
commit = "`+below.Commit+`"
path = "/app/below"`)
	u.Build(t, dir)
	l, image := u.Image(t, "production")
	files := e2etest.Files(t, l, image)
	for name, mode := range map[string]uint32{"/app/tree/answer.py": 0o644, "/app/tree/run.sh": 0o755} {
		if f, ok := files[name]; !ok || uint32(f.Mode.Perm()) != mode {
			t.Errorf("%s: there %t, mode %v", name, ok, f.Mode)
		}
	}
	for name := range files {
		if strings.HasPrefix(name, "/app/tree/assets") || name == "/app/tree/below/.git" || strings.Contains(name, ".git") || strings.HasSuffix(name, "README.md") {
			t.Errorf("%s is in the image", name)
		}
	}
	if files["/app/tree/link.py"].Link != "answer.py" || files["/app/tree/below/below.py"].Size == 0 {
		t.Errorf("link %+v, submodule %+v", files["/app/tree/link.py"], files["/app/tree/below/below.py"])
	}
	e2etest.Verify(t, u)
	before := u.Digest(t)
	e2etest.NoSecrets(t, u.Dir)

	there.Env = u.Env
	there.Build(t, dir)
	if again := there.Digest(t); again != before {
		t.Errorf("a fresh engine made %s, the other one %s", again, before)
	}
	there.Env = []string{"NETRC=/dev/null"}
	there.Fails(t, 2, []string{"tree"}, treeProject(t, g, g.Push(map[string]string{"src/answer.py": "TEXT = 2\n"}), ""))
}

// The error for a missing commit names it, as does that for an app with files at the
// tree's path. A new commit changes only the layer of the tree.
func TestRealGitTreeThatIsWrong(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	g := w.Git("tree", map[string]string{"answer.py": "TEXT = '" + time.Now().String() + "'\n"})
	const missing = "0123456789012345678901234567890123456789"
	u.Fails(t, 1, []string{"fetch tree 012345678901", missing}, treeProject(t, g, missing, ""))
	u.Fails(t, 1, []string{"nowhere"}, treeProject(t, g, g.Commit, `subdir = "nowhere"`))

	dir := treeProject(t, g, g.Commit, "")
	e2etest.Write(t, dir+"/app/tree", []byte("x"))
	u.Fails(t, 2, []string{`path "/app/tree" is a directory in one and not in the other`}, dir)
	if err := os.Remove(dir + "/app/tree"); err != nil {
		t.Fatal(err)
	}
	u.Build(t, dir)
	before, old := layers(t, u), g.Commit
	e2etest.Edit(t, dir+"/image.toml", old, g.Push(map[string]string{"answer.py": "TEXT = 'new'\n"}))
	u.Build(t, dir)
	own := slices.DeleteFunc(layers(t, u), func(d string) bool { return slices.Contains(before, d) })
	if len(own) != 1 {
		t.Errorf("%d layers are new", len(own))
	}
}

func layers(t *testing.T, u *e2etest.User) []string {
	t.Helper()
	_, image := u.Image(t, "production")
	list := make([]string, 0, len(image.Manifest.Layers))
	for _, l := range image.Manifest.Layers {
		list = append(list, l.Digest.String())
	}
	return list
}
