package layers

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// seal stores the entries as a layer and wraps it as an image.
func seal(
	ctx context.Context, store content.Store, name string, entries []entry, c Compression, p ocispec.Platform,
) (llb.Layer, error) {
	b, err := putLayer(ctx, store, entries, c)
	if err != nil {
		return llb.Layer{}, fmt.Errorf("packing layer %q: %w", name, err)
	}
	image, err := putImage(ctx, store, b, p)
	if err != nil {
		return llb.Layer{}, fmt.Errorf("wrapping layer %q: %w", name, err)
	}
	return llb.Layer{
		Name: name, Image: image, Blob: b.desc, DiffID: b.diffID, Size: b.size, Paths: paths(entries),
	}, nil
}

// putImage stores the smallest image that an engine accepts for the layer. It has no
// date and no history, so that it depends only on the layer.
func putImage(ctx context.Context, store content.Store, b blob, p ocispec.Platform) (digest.Digest, error) {
	if p.OS == "" {
		p = ocispec.Platform{OS: "linux", Architecture: "amd64"}
	}
	config, err := putJSON(ctx, store, ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: p,
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{b.diffID}},
	})
	if err != nil {
		return "", err
	}
	manifest, err := putJSON(ctx, store, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    config,
		Layers:    []ocispec.Descriptor{b.desc},
	})
	return manifest.Digest, err
}

func putJSON(ctx context.Context, store content.Store, mediaType string, v any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return putBytes(ctx, store, mediaType, data)
}
