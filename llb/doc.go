// Package llb holds the words that the stages speak: fetch by digest, run
// without a network, assemble Debian packages, install a wheel, take one clean
// layer, merge.
//
// A word is named for what it adds, takes plain values and gives a [State]. One
// that takes few of them is a function; one that takes more is a struct, whose
// method State gives what stands alone, and On what comes out of a root file
// system that it runs in. It never fails and does nothing: inputs are validated
// before a graph is built, and buildkitd does the work when the graph is
// solved. BuildKit's own package of this name is imported as bkllb.
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

// Epoch is the modification time of every file in every layer and the
// SOURCE_DATE_EPOCH of every exec, in Unix seconds: 1980-01-01T00:00:00Z, the
// oldest date that a zip archive, and so a Python wheel, can hold. It is a
// constant so that nothing but content can move a layer's digest.
const Epoch = 315532800

// EpochTime returns [Epoch] as a time.
func EpochTime() time.Time { return time.Unix(Epoch, 0).UTC() }

// MaxLayers is how many layers an image may have: overlayfs and containerd mount
// no more.
const MaxLayers = 127

// Merge lays layers over each other, bottom first, without copying a byte. An
// engine pulls none of them for that; it does as soon as something runs on the
// result, copies from it or mounts it, so an image's Merge comes last.
func Merge(name string, layers ...State) State {
	return bkllb.Merge(layers, bkllb.WithCustomName(name))
}

// Marshal turns a state into a definition that an engine solves, for one
// platform whatever the platform of this machine is.
func Marshal(ctx context.Context, s State, platform ocispec.Platform) (*bkllb.Definition, error) {
	def, err := s.Marshal(ctx, bkllb.Platform(platform))
	if err != nil {
		return nil, fmt.Errorf("marshalling the graph: %w", err)
	}
	return def, nil
}
