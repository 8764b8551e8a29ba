package lamina

import (
	"context"
	"fmt"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/graph"
	"lamina.build/internal/report"
	"lamina.build/llb"
	"lamina.build/stages"
)

// Print draws an image as [Project.Draw] does, and returns the text of what would be
// built in one of these forms: "tree", "json" and "dot" (Graphviz) have the vertices of
// the graph, "layers" the layers of the image with their sizes as far as the lock knows them.
func (p *Project) Print(ctx context.Context, b Build, form string) (string, error) {
	image, err := p.Draw(ctx, b)
	if err != nil {
		return "", err
	}
	if form == "layers" {
		return layersText(image), nil
	}
	def, err := llb.Marshal(ctx, image.State, image.Config.Platform)
	if err != nil {
		return "", err
	}
	g, err := graph.Decode(def)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	switch form {
	case "tree":
		err = g.WriteTree(&text)
	case "json":
		err = g.WriteJSON(&text)
	case "dot":
		err = g.WriteDOT(&text)
	default:
		err = failure.New(failure.Usage, fmt.Errorf("a graph has no form %q", form))
	}
	return text.String(), err
}

func layersText(image stages.Image) string {
	layers := make([]report.Planned, len(image.Parts))
	for i, p := range image.Parts {
		layers[i] = report.Planned{Stage: p.Stage, What: p.What, Fetched: p.Bytes.Fetched, Unpacked: p.Bytes.Unpacked}
	}
	return report.Plan(layers)
}
