package stages

import "lamina.build/llb"

// AppLayer is the layer of the app, and none where the image has no app.
func AppLayer(in Input) []llb.State {
	if in.App == nil {
		return nil
	}
	return []llb.State{llb.Packed(in.App.Layer)}
}
