package llb

import (
	"context"
	"fmt"
	"io"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

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

// Write marshals a state into the form that buildctl reads.
func Write(ctx context.Context, w io.Writer, s State, platform ocispec.Platform) error {
	def, err := Marshal(ctx, s, platform)
	if err != nil {
		return err
	}
	return bkllb.WriteTo(def, w)
}
