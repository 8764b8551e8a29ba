package stages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/stages"
)

func published() stages.Input {
	in := input("production")
	in.Models = []stages.Model{{Path: "/models/wan", Weights: []stages.Weights{{
		State:  llb.Published("wan", "registry.example/wan@"+digest.FromString("wan").String()),
		Layers: []llb.Layer{{Name: "wan/a", Size: 1}, {Name: "wan/b", Size: 2}},
	}}}}
	return in
}

// steps returns the sources and operations of an image.
func steps(t *testing.T, in stages.Input) string {
	t.Helper()
	image, err := stages.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return stepsOf(t, image)
}

func stepsOf(t *testing.T, image stages.Image) string {
	t.Helper()
	def, err := llb.Marshal(t.Context(), image.State, image.Config.Platform)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	return g.Tree()
}

func TestAPublishedModelHasAnEntryForEachOfItsLayers(t *testing.T) {
	image, err := stages.New(published())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range image.Config.History {
		if h.CreatedBy == "lamina model" {
			names = append(names, h.Comment)
		}
	}
	if !slices.Equal(names, []string{"wan/a", "wan/b"}) {
		t.Errorf("history has %q", names)
	}
	if text := steps(t, published()); strings.Count(text, "load wan") != 1 {
		t.Errorf("the model is not loaded once:\n%s", text)
	}
}

func TestWithoutWeights(t *testing.T) {
	in := published()
	in.Smoke.NeedsWeights, in.Smoke.Level = true, stages.SmokeAll
	lean := in.WithoutWeights()
	if text := steps(t, lean); strings.Contains(text, "wan") {
		t.Errorf("weights are left:\n%s", text)
	}
	if lean.Smoke.Level != stages.SmokeRuntime || len(in.Models[0].Layers()) != 2 {
		t.Errorf("smoke level %s, and %d layers in the original", lean.Smoke.Level, len(in.Models[0].Layers()))
	}
	got, _ := draw(t, lean)
	want, _ := draw(t, in)
	if got, want := got.Config.Config.Env, want.Config.Config.Env; !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q", got, want)
	}
}

// Finished layers are added to what an engine exports, which has every test nevertheless.
func TestFinishedLayersAreAdded(t *testing.T) {
	in := published()
	in.Smoke.NeedsWeights, in.Smoke.Level = true, stages.SmokeAll
	in.Smoke.Run = [][]string{{"true"}}
	for _, finished := range []bool{false, true} {
		for i := range in.Models[0].Weights[0].Layers {
			l := &in.Models[0].Weights[0].Layers[i]
			if finished {
				l.Blob.Digest = digest.FromString(l.Name)
			}
			l.DiffID = l.Blob.Digest
		}
		image, err := stages.New(in)
		if err != nil {
			t.Fatal(err)
		}
		lean := image.Lean()
		if added := len(lean.Parts) < len(image.Parts); added != finished {
			t.Errorf("of %d parts the engine has %d", len(image.Parts), len(lean.Parts))
		}
		for _, text := range []string{"load wan", "smoke: run true"} {
			if whole, own := stepsOf(t, image), stepsOf(t, lean); !strings.Contains(whole, text) || !strings.Contains(own, text) {
				t.Errorf("no %q:\n%s\n%s", text, whole, own)
			}
		}
		if !finished {
			continue
		}
		for _, p := range image.Parts {
			if p.Added != (p.Stage == "model") || p.Added && p.Layers[1].DiffID != digest.FromString("wan/b") {
				t.Errorf("%s: %+v", p.Stage, p)
			}
		}
		in.Smoke.NeedsWeights = false
		if image, err = stages.New(in); err != nil || strings.Contains(stepsOf(t, image.Lean()), "load wan") || !strings.Contains(stepsOf(t, image), "load wan") {
			t.Errorf("the engine has weights to export: %v", err)
		}
	}
}

// A model that the engine makes is drawn from its files.
func TestFetchedModelsAreDrawn(t *testing.T) {
	in := published()
	file := llb.Fetch("https://hub.example/a", digest.FromString("a"), "a")
	in.Models[0].Weights = []stages.Weights{{
		State:  llb.ModelLayer("wan/a", []llb.File{{From: file, Path: "/models/wan/a"}}, nil),
		Layers: []llb.Layer{{Name: "wan/a", Size: 1}},
	}}
	if text := steps(t, in); !strings.Contains(text, "fetch a") || strings.Contains(text, "load wan") {
		t.Errorf("drawn as\n%s", text)
	}
}
