package weights

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layout"
)

// LayoutTag is what the image of a model is called in a layout of many.
func (j Job) LayoutTag() string { return strings.ReplaceAll(j.Model.Digest, ":", "-") }

// Find returns the image of the model in a layout, if all of it is there.
func (j Job) Find(ctx context.Context, l *layout.Layout) (Image, bool, error) {
	j = j.complete()
	found, err := l.Read(ctx, j.LayoutTag())
	if errors.Is(err, layout.ErrNoTag) {
		return Image{}, false, nil
	}
	if err != nil {
		return Image{}, false, err
	}
	if _, ok := j.recognise(found.Manifest); !ok {
		return Image{}, false, nil
	}
	for _, layer := range found.Manifest.Layers {
		_, err := l.Store().Info(ctx, layer.Digest)
		if errdefs.IsNotFound(err) {
			return Image{}, false, nil
		}
		if err != nil {
			return Image{}, false, err
		}
	}
	return Image{Manifest: found.Desc, Layers: found.Manifest.Layers, Unchanged: true}, true, nil
}

// Keep names layers that somebody else put into a layout, in the order of
// [Job.Layers], by the manifest that [Push] and [Pull] make of the same.
func (j Job) Keep(ctx context.Context, l *layout.Layout, layers []digest.Digest) (Image, error) {
	j = j.complete()
	if len(layers) != len(j.Layers) {
		return Image{}, fmt.Errorf("keeping weights: %d layers were made, and the plan has %d", len(layers), len(j.Layers))
	}
	for i, d := range layers {
		info, err := l.Store().Info(ctx, d)
		if err == nil && info.Size != j.Layers[i].Size {
			err = fmt.Errorf("layer %q has %d bytes, and the plan has %d", j.Layers[i].Name, info.Size, j.Layers[i].Size)
		}
		if err != nil {
			return Image{}, fmt.Errorf("keeping weights: %w", err)
		}
	}
	b, err := j.image(layers)
	if err != nil {
		return Image{}, err
	}
	for _, data := range [][]byte{b.config, b.manifest} {
		desc := describe("", data)
		if err := content.WriteBlob(ctx, l.Store(), desc.Digest.String(), bytes.NewReader(data), desc); err != nil {
			return Image{}, fmt.Errorf("keeping weights: %w", err)
		}
	}
	return b.Image, l.Tag(ctx, j.LayoutTag(), b.Manifest)
}
