package main

import (
	"context"
	"strings"

	"lamina.build/internal/graph"
	"lamina.build/internal/report"
	"lamina.build/llb"
	"lamina.build/stages"
)

// printGraph prints what would be built.
func (a *app) printGraph(ctx context.Context, image stages.Image, form string) error {
	if form == "layers" {
		return a.printLayers(image)
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

// printLayers prints what the image will have, and how large that will be.
func (a *app) printLayers(image stages.Image) error {
	var layers []report.Planned
	for _, p := range image.Parts {
		for _, l := range p.Layers {
			layers = append(layers, report.Planned{Stage: p.Stage, What: l.What, Fetched: l.Fetched, Unpacked: l.Unpacked})
		}
	}
	return a.ui.result(report.Plan(layers))
}
