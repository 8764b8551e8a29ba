package stages

import "lamina.build/llb"

// checked is p with the check of its layer, of which all but the layer is known.
func (p Part) checked(c llb.LayerCheck) Part {
	c.Layer = p.State
	p.check = &c
	return p
}

// checked are the states of parts, each let out by the check of its layer: whatever
// the level of the smoke tests, and next to all else that is to be done. The layer has its
// check and not the image, so that where a cache brings the layer it brings the check, which
// was done where the layer was made. Nothing looks at layers that the engine doesn't make,
// which it would pull for that: those that the client packs are checked as they are packed
// (internal/layers), and those of models hold what the lock has by its hash.
func (d drawing) checked(parts []Part) []llb.State {
	list := states(parts)
	for i, p := range parts {
		if p.check != nil {
			c := *p.check
			c.Keep = d.Keep
			list[i] = p.State.Requires("check", c.On(d.root))
		}
	}
	return list
}
