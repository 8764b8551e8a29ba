package stages

import (
	"fmt"

	"lamina.build/llb"
)

// Differences installs the Debian packages of the image twice, and has for each layer of
// them a file of what differs, by the name of the layer: see [llb.Debian.Differences].
func Differences(in Input, marker string) (map[string]llb.State, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("drawing image %q twice: %w", in.Name, err)
	}
	d, found := draw(in), map[string]llb.State{}
	for _, one := range d.debians() {
		found[one.Name] = one.Differences(d.root, one.below, marker)
	}
	return found, nil
}
