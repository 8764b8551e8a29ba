package llb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Each source is identified by a digest or a commit, so that it can't change.
func TestSourcesArePinned(t *testing.T) {
	sum := digest.FromString("x")
	for name, tt := range map[string]struct {
		state      llb.State
		step       string
		identifier string
		attrs      map[string]string
	}{
		"fetch": {
			llb.Fetch("https://f.example/a/x.whl", sum, "x.whl"), "fetch x.whl", "https://f.example/a/x.whl",
			map[string]string{pb.AttrHTTPChecksum: sum.String(), pb.AttrHTTPFilename: "x.whl", pb.AttrHTTPPerm: "0644"},
		},
		"git": {
			llb.Git("https://git.example/Wan2.2.git", commit), "fetch Wan2.2 012345678901", "git://git.example/Wan2.2.git#" + commit,
			map[string]string{pb.AttrGitChecksum: commit},
		},
		"packed": {
			llb.Packed(layer("app")), "load app", "oci-layout://lamina/packed@" + layer("app").Image.String(),
			map[string]string{pb.AttrOCILayoutStoreID: "lamina"},
		},
		"pulled": {
			llb.Pulled("wan", sum), "load wan", "oci-layout://lamina/model@" + sum.String(),
			map[string]string{pb.AttrOCILayoutStoreID: "lamina-models"},
		},
		"published": {
			llb.Published("wan", "registry.example/wan@"+sum.String()), "load wan", "docker-image://registry.example/wan@" + sum.String(), nil,
		},
	} {
		v := root(decode(t, tt.state))
		s := v.Op.GetSource()
		if v.Kind != graph.Source || v.Name != tt.step || s.Identifier != tt.identifier {
			t.Errorf("%s is %s %q of %q", name, v.Kind, v.Name, s.GetIdentifier())
			continue
		}
		for key, want := range tt.attrs {
			if s.Attrs[key] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, s.Attrs[key], want)
			}
		}
	}
}

// A solve has each store under the name that graphs use.
func TestStores(t *testing.T) {
	type store struct{ content.Store }
	packed, models := &store{}, &store{}
	got := llb.Stores(packed, models)
	for want, s := range map[content.Store]llb.State{packed: llb.Packed(layer("app")), models: llb.Pulled("wan", digest.FromString("x"))} {
		if id := root(decode(t, s)).Op.GetSource().Attrs[pb.AttrOCILayoutStoreID]; got[id] != want {
			t.Errorf("no store, or another one, is called %q", id)
		}
	}
	if got = llb.Stores(packed, nil); len(got) != 1 {
		t.Errorf("without models there are %d stores", len(got))
	}
}

func TestMirrors(t *testing.T) {
	p := lock.Package{Name: "gcc-12", Version: "1:12.2.0-14+deb12u1", Architecture: "amd64", Repository: "debian", Path: "pool/main/g/gcc-12_12.2.0-14+deb12u1_amd64.deb", SHA256: digest.FromString("gcc").Encoded()}
	for base, want := range map[string]string{
		"http://deb.example/debian":  "http://deb.example/debian/pool/main/g/gcc-12_12.2.0-14%2Bdeb12u1_amd64.deb",
		"http://deb.example/debian/": "http://deb.example/debian/pool/main/g/gcc-12_12.2.0-14%2Bdeb12u1_amd64.deb",
	} {
		m := llb.Mirrors{"debian": base, "other": "http://other.example"}
		if got := m.URL(p); got != want {
			t.Errorf("below %s it is %s", base, got)
		}
		v := root(decode(t, m.Deb(p)))
		if v.Op.GetSource().Identifier != want || v.Name != "fetch gcc-12_12.2.0-14+deb12u1_amd64.deb" {
			t.Errorf("%q comes from %s", v.Name, v.Op.GetSource().Identifier)
		}
	}
}

func TestTree(t *testing.T) {
	g := decode(t, layers()["tree"])
	tree := called(t, g, "x 012345678901: select")
	c := tree.Op.GetFile().Actions[0].GetCopy()
	if c.Src != "/sub" || c.Dest != "/opt/x" || !c.DirCopyContents || !slices.Equal(c.ExcludePatterns, []string{"assets", "**/.git"}) {
		t.Errorf("selected by %v", c)
	}
	all := decode(t, llb.Tree{Remote: "https://git.example/x", Commit: commit, Path: "/opt/x"}.State())
	if c = called(t, all, "x 012345678901: select").Op.GetFile().Actions[0].GetCopy(); c.Src != "/" {
		t.Errorf("all of it is %s", c.Src)
	}
	if short := (llb.Tree{Remote: "https://git.example/x", Commit: "abc"}).Name(); short != "x abc" {
		t.Errorf("a short commit is called %q", short)
	}
}

// copied returns the copies of a step, as "FROM: SOURCE > TARGET".
func copied(g graph.Graph, v graph.Vertex) (list []string) {
	for _, a := range v.Op.GetFile().GetActions() {
		if c := a.GetCopy(); c != nil {
			from := g.Vertices[v.Inputs[a.SecondaryInput].Vertex].Name
			list = append(list, from+": "+c.Src+" > "+c.Dest)
		}
	}
	return list
}

func TestGather(t *testing.T) {
	g := decode(t, llb.Gather("gather", []llb.File{{From: state("a"), Path: "/x/a"}, {From: state("b"), Path: "/y/z/b"}}))
	if diff := cmp.Diff([]string{"a: /a > /x/a", "b: /b > /y/z/b"}, copied(g, root(g))); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
	if g = decode(t, llb.Gather("gather", nil)); len(g.Vertices) != 1 {
		t.Errorf("nothing is gathered in %d steps", len(g.Vertices))
	}
}

func TestFiles(t *testing.T) {
	one := decode(t, llb.Files("files", map[string]string{"b": "2", "a": "1", "c": "3"}))
	var got []string
	for _, a := range root(one).Op.GetFile().Actions[1:] {
		f := a.GetMkfile()
		got = append(got, strings.TrimPrefix(f.Path, "/")+"="+string(f.Data))
		if f.Mode != 0o644 {
			t.Errorf("%s has the mode %o", f.Path, f.Mode)
		}
	}
	if diff := cmp.Diff([]string{"a=1", "b=2", "c=3"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	g := decode(t, layers()["text"])
	if got := written(t, g, "etc/a/b"); got != "c" || called(t, g, "text").Op.GetFile().Actions[0].GetMkdir().Path != "/etc/a" {
		t.Errorf("written is %q", got)
	}
	if root(g).Name != "text: one layer" {
		t.Errorf("it ends in %q", root(g).Name)
	}
}

func TestClean(t *testing.T) {
	g := decode(t, layers()["clean"])
	if diff := cmp.Diff([]string{"dirty: /from > /to"}, copied(g, root(g))); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
}

// The bottom layer comes first, and merged layers are not read.
func TestMerge(t *testing.T) {
	g := decode(t, llb.Merge("image", state("low"), state("high")))
	v := root(g)
	if v.Kind != graph.Merge || v.Name != "image" || g.Vertices[v.Inputs[0].Vertex].Name != "low" || g.Vertices[v.Inputs[1].Vertex].Name != "high" {
		t.Errorf("merged is %v", v)
	}
}

// A large file is not copied again; the directories of several files get their times set.
func TestModelLayer(t *testing.T) {
	for name, steps := range map[string]int{"model": 2, "several files": 4, "nothing": 1} {
		g := decode(t, layers()[name])
		if len(g.Vertices) != steps {
			t.Errorf("%s is made in %d steps, want %d", name, len(g.Vertices), steps)
		}
	}
	g := decode(t, layers()["several files"])
	want := []string{"fetch a-1-py3-none-any.whl: /a-1-py3-none-any.whl > /a-1-py3-none-any.whl", "fetch b-1-py3-none-any.whl: /b-1-py3-none-any.whl > /b-1-py3-none-any.whl"}
	if diff := cmp.Diff(want, copied(g, called(t, g, "model"))); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
	if written(t, g, "m/empty") != "" {
		t.Error("a file without content has some")
	}
}
