package main

import (
	"context"
	"errors"

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
	switch form {
	case "json":
		text, err := g.JSON()
		return errors.Join(err, a.ui.result(string(text)))
	case "dot":
		return a.ui.result(g.DOT())
	}
	return a.ui.result(g.Tree())
}
