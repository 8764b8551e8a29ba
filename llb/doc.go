// Package llb provides the building blocks of the stages: fetch by digest, run without a
// network, assemble Debian packages, install a wheel, make one clean layer, merge.
//
// A building block is named for what it adds, takes plain values and returns a [State]. One
// with few values is a function; one with more is a struct, whose method State returns what
// it makes from scratch, and On what it makes of a root file system that it runs in. It never
// fails and does no work: inputs are validated before a graph is built, and buildkitd does
// the work when the graph is solved. BuildKit's own package llb is imported as bkllb.
package llb

import (
	"context"
	"fmt"
	"time"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// State is a BuildKit LLB state.
type State = bkllb.State

// Epoch is the modification time of every file in every layer and the SOURCE_DATE_EPOCH of
// every exec, in Unix seconds: 1980-01-01T00:00:00Z, the oldest date in a zip archive, and so
// in a Python wheel. It is a constant so that only content can change a layer's digest.
const Epoch = 315532800

// EpochTime returns [Epoch] as a time.
func EpochTime() time.Time { return time.Unix(Epoch, 0).UTC() }

// MaxLayers is how many layers an image may have: overlayfs and containerd mount
// no more.
const MaxLayers = 127

// Merge stacks layers, bottom first, without copying a byte. An engine pulls none of them for
// that, but does as soon as something runs on the result, copies from it or mounts it, so
// an image's Merge comes last.
func Merge(name string, layers ...State) State {
	return bkllb.Merge(layers, bkllb.WithCustomName(name))
}

// Marshal turns a state into a definition that an engine solves, for a platform that doesn't
// depend on this machine.
func Marshal(ctx context.Context, s State, platform ocispec.Platform) (*bkllb.Definition, error) {
	def, err := s.Marshal(ctx, bkllb.Platform(platform))
	if err != nil {
		return nil, fmt.Errorf("marshalling the graph: %w", err)
	}
	return def, nil
}
