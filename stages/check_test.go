package stages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/stages"
)

// everyKind returns inputs that together have every kind of layer, each with the smoke tests
// off: the checks don't depend on them.
func everyKind() map[string]stages.Input {
	all := map[string]stages.Input{
		"production": input("production"), "minimal": input("minimal"), "debug": input("debug"),
		"published": published(), "wheels": withWheels(), "tree": withTree(),
	}
	for name, in := range all {
		in.Smoke.Level = stages.SmokeOff
		all[name] = in
	}
	return all
}

// ownPart returns a caller's own layer.
func ownPart() stages.Part {
	return stages.Part{Stage: "own", State: llb.Text("own", "/etc/own", "x"), Layers: []stages.Layer{{What: "one's own"}}}
}

// Each layer that an op of the graph makes reaches the image through its check, and no other one
// is checked: the engine would pull it for that.
func TestEveryLayerThatIsMadeIsChecked(t *testing.T) {
	for name, in := range everyKind() {
		t.Run(name, func(t *testing.T) {
			image, err := stages.New(in, ownPart())
			if err != nil {
				t.Fatal(err)
			}
			g := decode(t, marshal(t, image.State))
			merge := g.Vertices[slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == "image" })]
			seen := map[graph.Kind]int{}
			for _, in := range merge.Inputs {
				part := g.Vertices[in.Vertex]
				seen[part.Kind]++
				if part.Kind == graph.Source {
					continue
				}
				if part.Kind != graph.Passthrough || len(part.Inputs) != 2 {
					t.Errorf("%s %q is merged without a check", part.Kind, part.Name)
					continue
				}
				if problems := checks(g.Vertices[part.Inputs[1].Vertex], part.Inputs[0]); problems != "" {
					t.Errorf("%s: %s", g.Vertices[part.Inputs[0].Vertex].Name, problems)
				}
			}
			if seen[graph.Passthrough] < 3 || seen[graph.Source] == 0 {
				t.Errorf("layers by kind: %v; this test checks the wrong thing", seen)
			}
		})
	}
}

// checks returns why a step is not the check of a layer.
func checks(check graph.Vertex, layer graph.Input) string {
	e := check.Op.GetExec()
	i := slices.IndexFunc(e.GetMounts(), func(m *pb.Mount) bool { return m.Dest == "/.lamina/layer" })
	switch {
	case i < 0:
		return check.Name + " mounts no layer"
	case check.Inputs[e.Mounts[i].Input] != layer || !e.Mounts[i].Readonly:
		return check.Name + " mounts another layer"
	case check.Inputs[e.Mounts[0].Input].Vertex == layer.Vertex || !strings.HasPrefix(check.Name, "check: "):
		return check.Name + " is not run in the builder"
	}
	return ""
}

// The options of a check describe its layer.
func TestWhatLayersMayHold(t *testing.T) {
	got := map[string]string{}
	for _, in := range everyKind() {
		in.Keep = llb.Exclude{"/etc/key"}
		image, err := stages.New(in, ownPart())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range decode(t, marshal(t, image.State)).Vertices {
			name, ok := strings.CutPrefix(v.Name, "check: ")
			if !ok {
				continue
			}
			args, mounts := v.Op.GetExec().Meta.Args, []string{}
			for _, m := range v.Op.GetExec().Mounts {
				if below, ok := strings.CutPrefix(m.Dest, "/.lamina/"); ok && below != "layer" && below != "scripts" && below != "out" {
					mounts = append(mounts, below)
				}
			}
			got[name] = fmt.Sprint(args[len(args)-1], " ", mounts)
		}
	}
	options := func(name, places, apart, mounts string) string {
		return fmt.Sprintf(`{"apart":[%s],"keep":["/etc/key"],"name":%q,"places":[%q]} [%s]`, apart, name, places, mounts)
	}
	local := func(name, mounts string) string {
		return options(name, "/usr/local", `"/usr/local/sbin"`, mounts)
	}
	of := func(wheels ...string) string {
		return "wheels/" + strings.Join(wheels, "-1-py3-none-any.whl wheels/") + "-1-py3-none-any.whl"
	}
	want := map[string]string{
		"runtime": options("runtime", "/", "", "lists"), "debug": options("debug", "/", "", "lists"),
		"one's own": options("one's own", "/", "", ""), "wan 012345678901": options("wan 012345678901", "/app/wan", "", ""),
		"list of the files of /models/wan": options("list of the files of /models/wan", "/usr/share/lamina/model-face-b.json", "", ""),
		"torch 1":                          local("torch 1", of("torch")), "nvidia-cudnn-cu12 1": local("nvidia-cudnn-cu12 1", of("nvidia-cudnn-cu12")),
		"medium wheels": local("medium wheels", of("numpy")), "small wheels": local("small wheels", of("idna", "own", "tqdm")),
		"insightface 0.7.3": local("insightface 0.7.3", "source"), "sam2 1.0": local("sam2 1.0", ""), "native": local("native", ""),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}
