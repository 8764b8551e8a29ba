package stages

import (
	"lamina.build/llb"
	"lamina.build/lock"
)

// Models are the layers of weights. They are only ever merged: whatever read
// them here would make the engine pull them.
func Models(in Input) []llb.State {
	var layers []llb.State
	for _, m := range in.Models {
		for _, l := range m.Layers {
			layers = append(layers, llb.Packed(l))
		}
		switch {
		case len(m.Fetched) > 0:
			layers = append(layers, m.Fetched...)
		case m.Image != nil:
			layers = append(layers, m.Image.Load())
		}
	}
	return layers
}

// All are the model's layers, wherever they are.
func (m Model) All() []llb.Layer {
	if m.Image != nil {
		return m.Image.Layers
	}
	return m.Layers
}

// parts are the layers of the model in the image. Those of one that was
// fetched come with one state.
func (m Model) parts() []Part {
	states := Models(Input{Models: []Model{m}})
	parts := make([]Part, len(m.All()))
	for i, l := range m.All() {
		parts[i] = Part{Stage: "model", What: l.Name, With: i >= len(states), Bytes: Bytes{l.Size, l.Size}}
		if i < len(states) {
			parts[i].State = states[i]
		}
	}
	return parts
}

// Env says where the model is, and where the list of its files: see [lock.ModelVariables].
func (m Model) Env() map[string]string {
	path, list := lock.ModelVariables(m.Name)
	env := map[string]string{path: m.Path}
	if m.Locked != nil {
		env[list] = m.ListPath()
	}
	return env
}
