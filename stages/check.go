package stages

import "lamina.build/llb"

// checked returns p with a check of its layer, which it fills in.
func (p Part) checked(c llb.LayerCheck) Part {
	c.Layer = p.State
	p.check = &c
	return p
}

// checked returns the states of parts, each requiring the check of its layer, at any level of
// smoke tests and in parallel to all other steps. The check belongs to the layer and not to
// the image: a cache hit of the layer includes the check, which ran where the layer was
// made. Layers that the engine doesn't make have none, since it would pull them for that:
// the client checks what it packs (internal/layers), and the lock has the hashes of models.
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
