package weights

import (
	"encoding/json"
	"maps"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/lock"
)

// planAnnotation is the annotation of a manifest with the [lock.ModelPlan] of
// its layers.
const planAnnotation = "build.lamina.plan"

// bundle is an image as it is put somewhere.
type bundle struct {
	Image

	config, manifest []byte
}

// image wraps the layers, which are all there. It depends on the model, the
// labels and the platform alone: no date, nothing of who made it.
func (j Job) image(layers []digest.Digest) (bundle, error) {
	b := bundle{Image: Image{Layers: make([]ocispec.Descriptor, len(layers))}}
	for i, d := range layers {
		b.Layers[i] = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: d, Size: j.Layers[i].Size}
	}
	labels := maps.Clone(j.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[Label] = j.Model.Digest
	var err error
	if b.config, err = json.Marshal(ocispec.Image{
		Platform: j.Platform,
		Config:   ocispec.ImageConfig{Labels: labels},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: layers},
	}); err != nil {
		return bundle{}, err
	}
	b.manifest, err = json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    describe(ocispec.MediaTypeImageConfig, b.config),
		Layers:    b.Layers,
		// The layers are told apart by the manifest, which is all that a later push
		// reads, and never by annotations of their own, which would come into the
		// manifests of the images that they are merged into.
		Annotations: map[string]string{Label: j.Model.Digest, planAnnotation: strconv.Itoa(lock.ModelPlan)},
	})
	b.Manifest = describe(ocispec.MediaTypeImageManifest, b.manifest)
	b.Manifest.Platform = &j.Platform
	return b, err
}

func describe(mediaType string, data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

// recognise returns the digests of the job's layers from the manifest of an
// image that was made of the same files by the same rules.
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
