package lamina

import (
	"context"
	"fmt"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/internal/graph"
	"lamina.build/llb"
)

// Print draws an image as [Project.Draw] does, and returns its graph in one of these forms:
// "tree", "json" and "dot" (Graphviz).
func (p *Project) Print(ctx context.Context, b Build, form string) (string, error) {
	if !slices.Contains([]string{"tree", "json", "dot"}, form) {
		return "", failure.New(failure.Usage, fmt.Errorf("unknown graph form %q", form))
	}
	image, err := p.Draw(ctx, b)
	if err != nil {
		return "", err
	}
	def, err := llb.Marshal(ctx, image.State, image.Config.Platform)
	if err != nil {
		return "", err
	}
	g, err := graph.Decode(def)
	if err != nil {
		return "", err
	}
	switch form {
	case "tree":
		return g.Tree(), nil
	case "json":
		text, err := g.JSON()
		return string(text), err
	}
	return g.DOT(), nil
}
