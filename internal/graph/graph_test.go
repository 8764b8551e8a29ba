package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/graph"
)

// world returns a small image with everything that a real one has: sources that two stages
// share, an exec with mounts and two outputs, a diff, a merge.
func world(app string) bkllb.State {
	deb := func(name string) bkllb.State {
		return bkllb.HTTP("http://deb.example/"+name, bkllb.Checksum(digest.FromString(name)), bkllb.Filename(name))
	}
	debs := bkllb.Scratch().
		File(bkllb.Copy(deb("a.deb"), "/a.deb", "/").Copy(deb("b.deb"), "/b.deb", "/"), bkllb.WithCustomName("packages"))
	run := bkllb.Scratch().Run(
		bkllb.Args([]string{"/bin/sh", "-c", "dpkg --install \"$@\" < /dev/null && echo 1>&2"}),
		bkllb.Network(bkllb.NetModeNone),
		bkllb.AddMount("/debs", debs, bkllb.Readonly),
		bkllb.WithCustomName("base"),
	)
	out := run.AddMount("/out", bkllb.Scratch())
	base := bkllb.Scratch().File(bkllb.Copy(run.Root(), "/", "/"))
	extra := bkllb.Diff(base, base.File(bkllb.Mkdir("/extra", 0o755)))
	layer := bkllb.Scratch().File(bkllb.Mkfile("/app", 0o644, []byte(app)), bkllb.WithoutExportCache(), bkllb.IgnoreCache)
	return bkllb.Merge([]bkllb.State{base, extra, out, layer}, bkllb.WithCustomName("image"))
}

func decode(t *testing.T, s bkllb.State) graph.Graph {
	t.Helper()
	def, err := s.Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func find(t *testing.T, g graph.Graph, label string) graph.Vertex {
	t.Helper()
	for _, v := range g.Vertices {
		if v.Label() == label {
			return v
		}
	}
	t.Fatalf("no vertex %q in %v", label, g.Vertices)
	return graph.Vertex{}
}

func TestDecode(t *testing.T) {
	g := decode(t, world("v1"))
	for i, v := range g.Vertices {
		if v.Number != i {
			t.Errorf("vertex %d has the number %d", i, v.Number)
		}
		for _, in := range v.Inputs {
			if in.Vertex >= i {
				t.Errorf("vertex %d uses %d, which comes later", i, in.Vertex)
			}
		}
	}
	image := find(t, g, "image")
	if image.Kind != graph.Merge || g.Root.Vertex != image.Number || len(image.Inputs) != 4 {
		t.Errorf("got %v as the result %v", image, g.Root)
	}
	base := find(t, g, "base")
	if out := image.Inputs[2]; out.Vertex != base.Number || out.Output == 0 {
		t.Errorf("third input of the image is %v, want a second output of %d", out, base.Number)
	}
	app := find(t, g, "write /app")
	if !app.NoExport || !app.IgnoreCache || base.NoExport || base.IgnoreCache {
		t.Error("cache settings of the vertices are lost")
	}
}

func TestDecodeRefuses(t *testing.T) {
	def, err := world("v1").Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		def  *bkllb.Definition
		want string
	}{
		{"nothing", nil, "graph is empty"},
		{"no operations", &bkllb.Definition{}, "graph is empty"},
		{"an unreadable operation", &bkllb.Definition{Def: [][]byte{{0xff}}}, "reading operation 0"},
		{"a missing input", &bkllb.Definition{Def: def.Def[2:]}, "does not come before its use"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := graph.Decode(tt.def); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTree(t *testing.T) {
	want := `8 merge  image
├─ 4 file  copy / → /
│  └─ 3 exec  base
│     └─ 2 file at /debs  packages
│        ├─ 1 source  http://deb.example/a.deb
│        └─ 0 source  http://deb.example/b.deb
├─ 6 diff
│  ├─ 4 file  copy / → /  (see above)
│  └─ 5 file  make /extra
│     └─ 4 file  copy / → /  (see above)
├─ 3 exec[1]  base  (see above)
└─ 7 file  write /app
`
	if diff := cmp.Diff(want, decode(t, world("v1")).Tree()); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestTreeSumsUpManySources(t *testing.T) {
	action := bkllb.Mkdir("/debs", 0o755)
	for i := range 100 {
		name := fmt.Sprintf("p%02d.deb", i)
		action = action.Copy(bkllb.HTTP("http://deb.example/"+name, bkllb.Filename(name)), name, "/debs/")
	}
	want := "100 file  make /debs, and 100 more\n" +
		"└─ 100 sources  http://deb.example/p00.deb … http://deb.example/p99.deb\n"
	if diff := cmp.Diff(want, decode(t, bkllb.Scratch().File(action)).Tree()); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestGoldenShowsAChangeWhereItIs(t *testing.T) {
	before := strings.Split(string(decode(t, world("v1")).Golden()), "\n")
	after := strings.Split(string(decode(t, world("v2")).Golden()), "\n")
	if len(before) != len(after) {
		t.Fatalf("golden has %d lines, then %d", len(before), len(after))
	}
	var changed []string
	for i := range before {
		if before[i] != after[i] {
			changed = append(changed, after[i])
		}
	}
	if len(changed) != 1 || !strings.Contains(changed[0], `"data"`) {
		t.Errorf("changed lines: %q, want the data of one file", changed)
	}
}

func TestJSON(t *testing.T) {
	g := decode(t, world("v1"))
	text, err := g.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Root     string
		Vertices []struct {
			Kind, Name, Digest string
			Inputs             []string
			Op                 map[string]any
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Root != "8" || len(doc.Vertices) != len(g.Vertices) {
		t.Errorf("got root %q of %d vertices", doc.Root, len(doc.Vertices))
	}
	if diff := cmp.Diff([]string{"4", "6", "3:1", "7"}, doc.Vertices[8].Inputs); diff != "" {
		t.Errorf("inputs of the image (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(text), "< /dev/null && echo 1>&2") {
		t.Error("a script is escaped as if for HTML")
	}
	for _, v := range doc.Vertices {
		if v.Digest == "" || v.Op[v.Kind] == nil {
			t.Errorf("vertex lacks its digest or operation: %v", v)
		}
		if v.Op["inputs"] != nil {
			t.Errorf("vertex repeats its inputs by digest: %v", v.Op["inputs"])
		}
	}
}

func TestTextsAreDeterministic(t *testing.T) {
	write := func() string {
		g := decode(t, world("v1"))
		text, err := g.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return g.Tree() + g.DOT() + string(text) + string(g.Golden())
	}
	first := write()
	for range 25 {
		if diff := cmp.Diff(first, write()); diff != "" {
			t.Fatalf("second time (-first +second):\n%s", diff)
		}
	}
}

func TestDOT(t *testing.T) {
	text := decode(t, world("v1")).DOT()
	for _, want := range []string{
		"digraph {\n",
		`  3 [shape=box, label="base\nexec"];`,
		`  2 -> 3 [label="/debs"];`,
		`  3 -> 8 [label="[1]"];`,
		"  8 -> result;\n}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestLabelIsOneShortLine(t *testing.T) {
	script := "set -eu\n\techo " + strings.Repeat("é", 200)
	g := decode(t, bkllb.Scratch().Run(bkllb.Args([]string{"sh", "-c", script})).Root())
	label := g.Vertices[g.Root.Vertex].Label()
	if n := len([]rune(label)); n > 100 || strings.ContainsAny(label, "\n\t") || !strings.HasPrefix(label, "sh -c set -eu echo é") {
		t.Errorf("got %q of %d characters", label, n)
	}
}

// The label of an unnamed vertex says what it does.
func TestLabelsOfWhatHasNoName(t *testing.T) {
	scratch := bkllb.Scratch()
	for want, s := range map[string]bkllb.State{
		"https://x.example/a": bkllb.HTTP("https://x.example/a"),
		"write /a":            scratch.File(bkllb.Mkfile("/a", 0o644, nil)),
		"make /a, and 2 more": scratch.File(bkllb.Mkdir("/a", 0o755).Mkdir("/a/b", 0o755).Mkdir("/a/c", 0o755)),
		"remove /a":           scratch.File(bkllb.Rm("/a")),
		"link /new → /old":    scratch.File(bkllb.Symlink("/old", "/new")),
		"sh -c a b":           scratch.Run(bkllb.Args([]string{"sh", "-c", "a\n  b"})).Root(),
	} {
		g := decode(t, s)
		if got := g.Vertices[g.Root.Vertex].Label(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (graph.Vertex{Op: graph.Op{Op: &pb.Op{}}}).Label(); got != "" {
		t.Errorf("nothing is called %q", got)
	}
}

// Any encoding is decoded or rejected, and what is decoded can be shown.
func FuzzDecode(f *testing.F) {
	def, err := world("v1").Marshal(f.Context(), bkllb.LinuxAmd64)
	if err != nil {
		f.Fatal(err)
	}
	for _, op := range def.Def {
		f.Add(op, op)
	}
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		g, err := graph.Decode(&bkllb.Definition{Def: [][]byte{first, second}})
		if err != nil {
			return
		}
		for i, v := range g.Vertices {
			for _, in := range v.Inputs {
				if in.Vertex >= i {
					t.Errorf("vertex %d uses %d", i, in.Vertex)
				}
			}
		}
		if _, err = g.JSON(); err != nil && !strings.Contains(err.Error(), "UTF-8") {
			t.Error(err)
		}
		_ = g.Tree() + g.DOT() + string(g.Golden())
	})
}

func BenchmarkDecode(b *testing.B) {
	def, err := world("v1").Marshal(context.Background(), bkllb.LinuxAmd64)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := graph.Decode(def); err != nil {
			b.Fatal(err)
		}
	}
}
