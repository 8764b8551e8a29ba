package stages_test

import (
	"slices"
	"testing"

	"lamina.build/internal/graph"
	"lamina.build/stages"
)

// What a variant adds can be inspected before it is drawn, with steps that the drawing has, too,
// except for the one that requires all outputs of the installation.
// If it adds nothing, or the image can't be drawn, there is nothing to inspect.
func TestExtra(t *testing.T) {
	in := input("debug")
	lists, ok := stages.Extra(in)
	if !ok {
		t.Fatal("it adds nothing")
	}
	_, def := draw(t, in)
	drawn := decode(t, def).Vertices
	var own []string
	for _, v := range decode(t, marshal(t, lists)).Vertices {
		if !slices.ContainsFunc(drawn, func(d graph.Vertex) bool { return d.Digest == v.Digest }) {
			own = append(own, v.Name)
		}
	}
	if !slices.Equal(own, []string{"debug: installed"}) {
		t.Errorf("the drawing has no steps %q", own)
	}
	broken := input("debug")
	broken.Mirrors = nil
	for name, in := range map[string]stages.Input{"nothing is added": input("production"), "no mirrors": broken} {
		if _, ok := stages.Extra(in); ok {
			t.Errorf("%s: there is something to inspect", name)
		}
	}
}
