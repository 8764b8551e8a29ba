package main

import (
	"context"
	"strings"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/stages"
)

// printGraph prints what would be built.
func (a *app) printGraph(ctx context.Context, image stages.Image, form string) error {
	if form == "layers" {
		return a.ui.result(planned(image.Parts))
	}
	def, err := llb.Marshal(ctx, image.State, image.Config.Platform)
	if err != nil {
		return err
	}
	g, err := graph.Decode(def)
	if err != nil {
		return err
	}
	var b strings.Builder
	switch form {
	case "json":
		err = g.WriteJSON(&b)
	case "dot":
		err = g.WriteDOT(&b)
	default:
		err = g.WriteTree(&b)
	}
	if err != nil {
		return err
	}
	return a.ui.result(b.String())
}
