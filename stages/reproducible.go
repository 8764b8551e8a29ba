package stages

import (
	"fmt"

	"lamina.build/llb"
)

// Differences installs the Debian packages of the image twice, and returns a file of the
// differences for each of their layers, by layer name: see [llb.Debian.Differences].
func Differences(in Input, marker string) (map[string]llb.State, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("drawing image %q twice: %w", in.Name, err)
	}
	builder, system := in.builder(), in.system()
	found := map[string]llb.State{system.Name: system.Differences(builder, nil, marker)}
	if added, ok := in.extra(); ok {
		runtime := system.State()
		found[added.Name] = added.Differences(builder, &runtime, marker)
	}
	return found, nil
}
