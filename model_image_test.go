package lamina

import (
	"strings"
	"testing"

	"lamina.build/internal/layout"
	"lamina.build/lock"
	"lamina.build/spec"
)

func TestFetchNeed(t *testing.T) {
	models, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer models.Close()
	wanted := spec.Model{From: "hf://org/name@main", Path: "/m"}
	locked := lock.Model{
		ModelRequest: wanted.Request(), Plan: lock.ModelPlan, Digest: "sha256:" + strings.Repeat("d", 64),
		Files: []lock.ModelFile{{Path: "a", Size: 1000, SHA256: strings.Repeat("a", 64)}},
	}
	published, old := locked, locked
	published.Published = "registry.example/w@sha256:" + strings.Repeat("e", 64)
	old.Published, old.Plan = published.Published, lock.ModelPlan+1
	for _, tt := range []struct {
		name    string
		model   lock.Model
		weights string
		want    int64
	}{
		{"nowhere yet", locked, spec.WeightsLayers, 4000},
		{"published", published, spec.WeightsLayers, 0},
		{"published in other layers", old, spec.WeightsLayers, 4000},
		{"not baked", locked, spec.WeightsNone, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := job{models: models, lock: lock.Lock{Models: []lock.Model{tt.model}}}
			j.spec.Models, j.spec.Weights = []spec.Model{wanted, {From: "dir:weights", Path: "/w"}}, tt.weights
			if got, err := j.fetchNeed(t.Context()); got != tt.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, tt.want)
			}
		})
	}
	if _, err := (job{models: models, spec: spec.Spec{Models: []spec.Model{wanted}, Weights: spec.WeightsLayers}}).fetchNeed(t.Context()); err == nil {
		t.Error("a model that isn't locked is silently left out")
	}
}
