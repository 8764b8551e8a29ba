package stages

import (
	"lamina.build/cache"
	"lamina.build/llb"
)

// Wheels are the layers of Python packages: each source tree is compiled in
// the builder into a wheel, and each wheel installed into a layer of its own.
func Wheels(in Input, builder llb.State) []llb.State {
	layers := make([]llb.State, 0, len(in.Sources))
	for _, source := range in.Sources {
		wheel := llb.BuildWheel(source.Name, builder, llb.Packed(source), cache.CCache(in.namespace()).Option())
		layers = append(layers, llb.InstallWheel(source.Name, builder, wheel))
	}
	return layers
}

func (in Input) namespace() cache.Namespace {
	return cache.Namespace{Distribution: in.Lock.Suites[0], Platform: in.Lock.Platform}
}
