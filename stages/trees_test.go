package stages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// withTree returns an input with a git tree in the app's directory, and a locked model.
func withTree() stages.Input {
	in := published()
	in.Trees = []llb.Tree{{Remote: "https://git.example/wan.git", Commit: commit, Exclude: []string{"assets"}, Path: "/app/wan"}}
	in.Models[0].Name = "face-b"
	in.Models[0].Locked = &lock.Model{
		ModelRequest: lock.ModelRequest{From: "hf://org/wan@main", Path: "/models/wan", Rename: map[string]string{"b": "c/d"}},
		Commit:       commit, Digest: "sha256:aa",
		Files: []lock.ModelFile{{Path: "a", Size: 1, SHA256: "bb"}, {Path: "b", Size: 2, SHA256: "cc", URL: "https://files.example/b"}},
	}
	return in
}

func TestGraphWithATree(t *testing.T) {
	_, def := draw(t, withTree())
	checkGolden(t, "tree", decode(t, def))
}

// The engine verifies the commit: a server that answers with another one is caught.
func TestTreesArePinned(t *testing.T) {
	_, def := draw(t, withTree())
	trees := 0
	for _, v := range decode(t, def).Vertices {
		if s := v.Op.GetSource(); s != nil && strings.HasPrefix(s.Identifier, "git://") {
			trees++
			if s.Attrs[pb.AttrGitChecksum] != commit {
				t.Errorf("%s is pinned to %q", s.Identifier, s.Attrs[pb.AttrGitChecksum])
			}
		}
	}
	if trees != 1 {
		t.Errorf("%d git sources", trees)
	}
}

// Every variant has the list: without weights, it says what to download.
func TestListOfAModel(t *testing.T) {
	in := withTree()
	const want = `{
 "from": "hf://org/wan@main",
 "commit": "0123456789012345678901234567890123456789",
 "digest": "sha256:aa",
 "files": [
  {
   "path": "a",
   "size": 1,
   "sha256": "bb"
  },
  {
   "path": "c/d",
   "size": 2,
   "sha256": "cc",
   "source": "b",
   "url": "https://files.example/b"
  }
 ]
}
`
	for _, in := range []stages.Input{in, in.WithoutWeights()} {
		image, _ := draw(t, in)
		if env := image.Config.Config.Env; !slices.Contains(env, "MODEL_LIST_FACE_B=/usr/share/lamina/model-face-b.json") {
			t.Errorf("environment %q", env)
		}
		lists := slices.DeleteFunc(parts(t, in), func(p stages.Part) bool { return p.Stage != "list" })
		if len(lists) != 1 {
			t.Fatalf("%d lists", len(lists))
		}
		if got := fileOf(t, lists[0].State, "/usr/share/lamina/model-face-b.json"); got != want {
			t.Errorf("list\n%s\nwant\n%s", got, want)
		}
	}
}

// A model without a name is the only one.
func TestListOfTheModelWithoutAName(t *testing.T) {
	in := withTree()
	in.Models[0].Name = ""
	image, _ := draw(t, in)
	const list = "/usr/share/lamina/model.json"
	if env := image.Config.Config.Env; !slices.Contains(env, "MODEL_LIST="+list) || !slices.Contains(env, "MODEL_PATH=/models/wan") {
		t.Errorf("environment %q", env)
	}
	if fileOf(t, image.State, list) == "" {
		t.Error("the list is empty")
	}
}

// fileOf returns the content that a graph gives a file.
func fileOf(t *testing.T, s llb.State, path string) string {
	t.Helper()
	return fileIn(t, decode(t, marshal(t, s)).Vertices, path)
}

func fileIn(t *testing.T, vertices []graph.Vertex, path string) string {
	t.Helper()
	for _, v := range vertices {
		for _, a := range v.Op.GetFile().GetActions() {
			if f := a.GetMkfile(); f != nil && f.Path == path {
				return string(f.Data)
			}
		}
	}
	t.Fatalf("no step makes %s", path)
	return ""
}

func TestATreeMovesItsOwnLayer(t *testing.T) {
	after := withTree()
	after.Trees[0].Commit = strings.Repeat("1", 40)
	if got := moved(t, withTree(), after); !slices.Equal(got, []string{"git wan 111111111111 in /app/wan"}) {
		t.Errorf("moved are %q", got)
	}
}

// The smoke tests see the app with the trees in its directory, which the app's own mount would
// hide; the others are outside it anyway.
func TestTreesInTheDirectoryOfTheApp(t *testing.T) {
	for path, want := range map[string]string{
		"/app/wan": "smoke: app with its git trees", "/app-data": "load app", "/opt/app/wan": "load app",
	} {
		in := withTree()
		in.Trees[0].Path = path
		_, def := draw(t, in)
		g := decode(t, def)
		i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return strings.HasPrefix(v.Name, "smoke: run ") })
		e := g.Vertices[i].Op.GetExec()
		m := e.Mounts[slices.IndexFunc(e.Mounts, func(m *pb.Mount) bool { return m.Dest == "/app" })]
		if got := g.Vertices[g.Vertices[i].Inputs[m.Input].Vertex].Name; got != want {
			t.Errorf("with a tree in %s the app is %q, want %q", path, got, want)
		}
	}
}
