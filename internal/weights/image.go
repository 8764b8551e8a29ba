package weights

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/lock"
)

// planAnnotation is the annotation of a manifest with the [lock.ModelPlan] of
// its layers.
const planAnnotation = "build.lamina.plan"

// bundle is an image ready to be stored.
type bundle struct {
	Image

	config, manifest []byte
}

// document is what a registry stores under a digest or a tag.
type document struct {
	desc   ocispec.Descriptor
	config []byte // of a manifest
	data   []byte
}

// image wraps the layers, which all exist. It depends on the model alone: no date, no
// trace of who made it.
func (j Job) image(layers []digest.Digest) (bundle, error) {
	image, list, err := j.imageFor("amd64", layers)
	return bundle{Image: Image{Manifest: image.desc, Layers: list}, config: image.config, manifest: image.data}, err
}

func (j Job) imageFor(architecture string, layers []digest.Digest) (document, []ocispec.Descriptor, error) {
	list := make([]ocispec.Descriptor, len(layers))
	for i, d := range layers {
		list[i] = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: d, Size: j.Layers[i].Size}
	}
	platform := ocispec.Platform{OS: "linux", Architecture: architecture}
	label := map[string]string{Label: j.Model.Digest}
	config, err := json.Marshal(ocispec.Image{
		Platform: platform,
		Config:   ocispec.ImageConfig{Labels: label},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: layers},
	})
	if err != nil {
		return document{}, nil, err
	}
	image, err := newDocument(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    describe(ocispec.MediaTypeImageConfig, config),
		Layers:    list,
		// Only the manifest's annotations identify the layers, since a later push reads
		// nothing else. Annotations of the layers would end up in the manifests of the
		// images that they are merged into.
		Annotations: map[string]string{Label: j.Model.Digest, planAnnotation: strconv.Itoa(lock.ModelPlan)},
	}, ocispec.MediaTypeImageManifest)
	image.config, image.desc.Platform = config, &platform
	return image, list, err
}

func newDocument(v any, mediaType string) (document, error) {
	data, err := json.Marshal(v)
	return document{desc: describe(mediaType, data), data: data}, err
}

// index returns what a tag names, and its images: one for each platform that a cluster node
// may have, since containerd unpacks no image of another platform, even if nothing in it is
// executable. All have the same layers.
func (j Job) index(layers []digest.Digest) (document, []document, error) {
	var images []document
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, _, err := j.imageFor(architecture, layers)
		if err != nil {
			return document{}, nil, err
		}
		images, list.Manifests = append(images, image), append(list.Manifests, image.desc)
	}
	index, err := newDocument(list, ocispec.MediaTypeImageIndex)
	return index, images, err
}

func describe(mediaType string, data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

// recognise returns the digests of the job's layers from the manifest of an
// image that was made from the same files by the same rules.
func (j Job) recognise(m ocispec.Manifest) ([]digest.Digest, bool) {
	if len(m.Layers) != len(j.Layers) ||
		m.Annotations[Label] != j.Model.Digest || m.Annotations[planAnnotation] != strconv.Itoa(lock.ModelPlan) {
		return nil, false
	}
	layers := make([]digest.Digest, len(m.Layers))
	for i, l := range m.Layers {
		if l.MediaType != ocispec.MediaTypeImageLayer || l.Size != j.Layers[i].Size || l.Digest.Validate() != nil {
			return nil, false
		}
		layers[i] = l.Digest
	}
	return layers, true
}

// LayoutTag returns the tag of the model's image in a layout of many.
func (j Job) LayoutTag() string { return strings.ReplaceAll(j.Model.Digest, ":", "-") }

// Find returns the image of the model in a layout, if it is complete.
func (j Job) Find(ctx context.Context, l *layout.Layout) (Image, bool, error) {
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

// Keep names layers that somebody else stored in a layout, in the order of
// [Job.Layers], by the manifest that [Push] and [Pull] make of the same layers.
func (j Job) Keep(ctx context.Context, l *layout.Layout, layers []digest.Digest) (Image, error) {
	if len(layers) != len(j.Layers) {
		return Image{}, fmt.Errorf("keeping weights: %d layers were made, but the plan has %d", len(layers), len(j.Layers))
	}
	for i, d := range layers {
		info, err := l.Store().Info(ctx, d)
		if err == nil && info.Size != j.Layers[i].Size {
			err = fmt.Errorf("layer %q has %d bytes, but %d in the plan", j.Layers[i].Name, info.Size, j.Layers[i].Size)
		}
		if err != nil {
			return Image{}, fmt.Errorf("keeping weights: %w", err)
		}
	}
	b, err := j.image(layers)
	if err != nil {
		return Image{}, err
	}
	if err := b.store(ctx, l); err != nil {
		return Image{}, err
	}
	return b.Image, l.Tag(ctx, j.LayoutTag(), b.Manifest)
}

// store writes the manifest and its configuration to the layout that has the layers.
func (b bundle) store(ctx context.Context, l *layout.Layout) error {
	for _, data := range [][]byte{b.config, b.manifest} {
		desc := describe("", data)
		if err := content.WriteBlob(ctx, l.Store(), desc.Digest.String(), bytes.NewReader(data), desc); err != nil {
			return fmt.Errorf("storing the image: %w", err)
		}
	}
	return nil
}
