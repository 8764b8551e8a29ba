package stages

import (
	"lamina.build/llb"
	"lamina.build/lock"
)

// Runtime is the operating system of the image: base, what runs on it, and the
// app's user. What a variant adds lies in a layer of its own above it, so that
// all variants share this one.
func Runtime(in Input) []llb.State {
	base := Base(in, lock.SetRuntime)
	base.Exclude = in.Exclude
	if in.App != nil {
		base.User = in.App.User
	}
	runtime := base.Layer()
	extra := in.Lock.In(lock.SetExtra, in.Variant)
	if len(extra) == 0 {
		return []llb.State{runtime}
	}
	added := llb.Extra{
		Name:     in.Variant,
		Tools:    base.Tools,
		Mirrors:  in.Mirrors,
		Packages: extra,
		Exclude:  in.Exclude,
	}
	return []llb.State{runtime, added.On(runtime)}
}
