package stages

import (
	"fmt"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
	"lamina.build/lock"
)

// Image is a picture that is ready to be solved.
type Image struct {
	State  llb.State // the merge of all parts, let out by the smoke tests
	Config ocispec.Image
	Parts  []Part  // one a layer, bottom first
	Probes []Probe // layers that are empty where something optional could not be built
}

// Part is one layer of an image.
type Part struct {
	Stage string // "runtime", "wheels", "list", "model", "git", "app", or the variant that adds it
	What  string // "118 Debian packages"
	State llb.State
	With  bool // it comes with the State of the part before it
	Bytes Bytes
}

// Bytes is how large a part will be, as far as the lock knows before anything is
// fetched; zero where it doesn't.
type Bytes struct {
	Fetched  int64 // as it comes: compressed packages and wheels, uncompressed weights
	Unpacked int64 // on the disk, before pruning
}

// New draws the image. Merge is the last operation that makes anything:
// whatever ran on it, copied from it or mounted it would pull every layer that
// the engine has not. The tests stand beside it.
//
// own are layers of one's own, below the app's: what [llb.Clean] makes, or another
// layer without whiteouts. The tests see them, too.
func New(in Input, own ...Part) (Image, error) {
	if err := in.Check(); err != nil {
		return Image{}, fmt.Errorf("drawing image %q: %w", in.Name, err)
	}
	builder, runtime := Builder(in), Runtime(in)
	wheels := Wheels(in, builder)
	tests := Tests(in, builder, slices.Concat(runtime, states(wheels), states(lists(in)), states(trees(in)), states(own)))
	parts := parts(in, runtime, wheels, own)
	return Image{
		State:  llb.Merge("image", states(parts)...).Requires("smoke", tests...),
		Config: Config(in, parts),
		Parts:  parts,
		Probes: in.probes(wheels),
	}, nil
}

func states(parts []Part) []llb.State {
	list := make([]llb.State, 0, len(parts))
	for _, p := range parts {
		if !p.With {
			list = append(list, p.State)
		}
	}
	return list
}

// parts are the layers of the image, bottom first: what changes least lies
// lowest.
func parts(in Input, runtime []llb.State, wheels, own []Part) []Part {
	var parts []Part
	stages := []string{"runtime", in.Variant}
	for i, kind := range []lock.Kind{lock.SetRuntime, lock.SetExtra}[:len(runtime)] {
		parts = append(parts, Part{
			Stage: stages[i], What: in.packages(kind), State: runtime[i], Bytes: Bytes{Fetched: in.packagesSize(kind)},
		})
	}
	parts = slices.Concat(parts, wheels, lists(in))
	for _, m := range in.Models {
		parts = append(parts, m.parts()...)
	}
	parts = slices.Concat(parts, trees(in), own)
	for _, state := range AppLayer(in) {
		parts = append(parts, Part{Stage: "app", What: in.App.Path, State: state, Bytes: Bytes{Unpacked: in.App.Layer.Size}})
	}
	return parts
}

func (in Input) packages(kind lock.Kind) string {
	if n := len(in.Lock.In(kind, in.Variant)); n != 1 {
		return fmt.Sprintf("%d Debian packages", n)
	}
	return "1 Debian package"
}

func (in Input) packagesSize(kind lock.Kind) (size int64) {
	for _, p := range in.Lock.In(kind, in.Variant) {
		size += p.Size
	}
	return size
}
