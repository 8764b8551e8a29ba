package stages

import (
	"strings"

	"lamina.build/llb"
)

// Models are the layers of weights. They are only ever merged: whatever read
// them here would make the engine pull them.
func Models(in Input) []llb.State {
	var layers []llb.State
	for _, m := range in.Models {
		for _, l := range m.Layers {
			layers = append(layers, llb.Packed(l))
		}
	}
	return layers
}

// Variable is the environment variable that says where the model is:
// MODEL_PATH, or MODEL_PATH_NAME for a model that has a name.
func (m Model) Variable() string {
	if m.Name == "" {
		return "MODEL_PATH"
	}
	upper := strings.ToUpper(m.Name)
	return "MODEL_PATH_" + strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, upper)
}
