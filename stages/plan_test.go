package stages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// The plan counts exactly what is drawn.
func TestLayersAreThoseOfTheParts(t *testing.T) {
	for name, in := range map[string]stages.Input{
		"production": input("production"), "debug": input("debug"), "wheels": withWheels(), "tree": withTree(), "published": published(),
		"without weights": published().WithoutWeights(),
	} {
		image, _ := draw(t, in)
		n := 0
		for _, p := range image.Parts {
			n += len(p.Layers)
		}
		if in.Layers() != n || len(image.Config.History) != n {
			t.Errorf("%s: %d layers, and %d entries, of %d that are drawn", name, in.Layers(), len(image.Config.History), n)
		}
	}
}

// A layer has its size, as far as the lock knows it.
func TestSizesOfLayers(t *testing.T) {
	in := withWheels()
	for i, d := range in.Lock.Distributions {
		in.Lock.Distributions[i].Unpacked = 2 * d.Size
	}
	got := map[string][2]int64{}
	for _, p := range parts(t, in) {
		for _, l := range p.Layers {
			got[p.Stage+" "+l.What] = [2]int64{l.Fetched, l.Unpacked}
		}
	}
	want := map[string][2]int64{
		"runtime 2 Debian packages": {2, 0}, "wheels nvidia-cudnn-cu12 1": {664e6, 1328e6}, "wheels torch 1": {797e6, 1594e6},
		"wheels numpy 1": {18e6, 36e6}, "wheels 3 small wheels": {60e3 + 70e3 + 9, 2 * (60e3 + 70e3 + 9)},
		"wheels insightface 0.7.3": {4e5, 0}, "wheels sam2 1.0": {}, "wheels native": {},
		"model weights/0": {1, 1}, "model weights/1": {1, 1}, "app /app": {0, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bytes fetched and unpacked (-want +got):\n%s", diff)
	}
}

// Models get what the others leave; the app's layer is reserved if it is not packed yet.
func TestLayersThatModelsMayTake(t *testing.T) {
	in := input("minimal")
	left := in.ModelLayers()
	if left != 127-3 {
		t.Errorf("of an image of 3 layers, %d are left", left)
	}
	if in.App = nil; in.ModelLayers() != left {
		t.Errorf("without an app, %d are left", in.ModelLayers())
	}
	if in.Lock = (lock.Lock{}); in.ModelLayers() != left {
		t.Errorf("of a lock that has nothing, %d are left", in.ModelLayers())
	}
}

func TestWeightsThatTestsRead(t *testing.T) {
	in := published()
	for _, tt := range []struct {
		needs bool
		level stages.Level
		want  int64
	}{{true, stages.SmokeAll, 3}, {true, stages.SmokeRuntime, 0}, {false, stages.SmokeAll, 0}} {
		in.Smoke.NeedsWeights, in.Smoke.Level = tt.needs, tt.level
		if got := in.TestedWeights(); got != tt.want {
			t.Errorf("needs %v, level %s: %d bytes", tt.needs, tt.level, got)
		}
	}
}

func TestWhatTheClientKnows(t *testing.T) {
	layers, directories := withTree().Known()
	names := func(list []llb.Layer) (names []string) {
		for _, l := range list {
			names = append(names, strings.Join(append([]string{l.Name}, l.Paths...), " "))
		}
		return names
	}
	want := []string{"wan/a", "wan/b", "app", "list of the files of /models/wan /usr/share/lamina/model-face-b.json"}
	if diff := cmp.Diff(want, names(layers)); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if got := names(directories); !slices.Equal(got, []string{"wan 012345678901 /app/wan/"}) {
		t.Errorf("directories %q", got)
	}
}

// A caller's own layer is below the app, and the tests see it.
func TestOwnParts(t *testing.T) {
	own := stages.Part{Stage: "own", State: llb.Text("own", "/own", "x"), Layers: []stages.Layer{{What: "a file"}}}
	image, err := stages.New(input("production"), own)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(image.Parts); image.Parts[n-2].Stage != "own" || image.Parts[n-1].Stage != "app" {
		t.Errorf("parts %v", image.Parts)
	}
	g := decode(t, marshal(t, image.State))
	for _, v := range g.Vertices {
		if v.Name == "smoke: root file system" && g.Vertices[v.Inputs[len(v.Inputs)-1].Vertex].Name != "own: one layer" {
			t.Error("the tests don't see it")
		}
	}
	own.Layers = nil
	if _, err = stages.New(input("production"), own); err == nil || !strings.Contains(err.Error(), `part "own" has no layers`) {
		t.Errorf("without layers: %v", err)
	}
}

// What is drawn without an image is checked, too.
func TestRootFileSystems(t *testing.T) {
	for set, of := range map[string]func(stages.Input) (llb.State, error){"builder": stages.Builder, "runtime": stages.Runtime} {
		s, err := of(input("debug"))
		if err != nil {
			t.Fatal(err)
		}
		g := decode(t, marshal(t, s))
		root := g.Vertices[g.Root.Vertex]
		if set == "runtime" { // dpkg's lists are next to it
			root = g.Vertices[root.Inputs[0].Vertex]
		}
		if got := root.Name; got != set+": one layer" {
			t.Errorf("%s ends in %q", set, got)
		}
		_, err = of(stages.Input{Lock: lock.Lock{Packages: []lock.Package{{Repository: "debian"}}}})
		for _, want := range []string{"drawing the " + set, "no packages for base", "no packages for " + set, `no mirror serves repository "debian"`, "the tools"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", set, err, want)
			}
		}
	}
}
