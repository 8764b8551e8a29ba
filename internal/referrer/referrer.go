// Package referrer wraps documents about an image as artifacts that refer to it, so
// that the image and its digest don't change: manifests with a subject, as of
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md.
package referrer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Attachment is one document about an image.
type Attachment struct {
	Type    string // media type, of the artifact and of its only blob: "application/spdx+json"
	Name    string // of a file with it: "sbom.spdx.json"
	Created time.Time
	Data    []byte

	Annotations map[string]string // additional ones, of the artifact
}

// Blob describes the document.
func (a Attachment) Blob() ocispec.Descriptor {
	return ocispec.Descriptor{
		MediaType: a.Type, Digest: digest.FromBytes(a.Data), Size: int64(len(a.Data)),
		Annotations: map[string]string{ocispec.AnnotationTitle: a.Name},
	}
}

// Manifest returns the artifact of the document, whose subject is an image. It depends only
// on the document and the image. Its descriptor is as registries list it.
func (a Attachment) Manifest(subject ocispec.Descriptor) (desc ocispec.Descriptor, data []byte, err error) {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: a.Type,
		Config: ocispec.DescriptorEmptyJSON, Layers: []ocispec.Descriptor{a.Blob()},
		Subject:     &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{ocispec.AnnotationCreated: a.Created.UTC().Format(time.RFC3339)},
	}
	maps.Copy(m.Annotations, a.Annotations)
	m.Config.Data = nil // registries need the blob anyway
	if data, err = json.Marshal(m); err != nil {
		return desc, nil, fmt.Errorf("describing %s: %w", a.Name, err)
	}
	return ocispec.Descriptor{
		MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data)),
		ArtifactType: a.Type, Annotations: m.Annotations,
	}, data, nil
}

// Tag returns where a registry without an API for referrers keeps their list, as of
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema.
func Tag(subject digest.Digest) string {
	return subject.Algorithm().String() + "-" + subject.Encoded()
}

// Index returns a list of referrers with more added, without duplicates.
func Index(list []ocispec.Descriptor, more ...ocispec.Descriptor) ([]byte, error) {
	list = slices.DeleteFunc(slices.Clone(list), func(d ocispec.Descriptor) bool {
		return slices.ContainsFunc(more, func(own ocispec.Descriptor) bool { return own.Digest == d.Digest })
	})
	list = append(list, more...)
	slices.SortFunc(list, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: list,
	})
}

// ErrUnreadable means that an artifact doesn't contain exactly one readable document.
var ErrUnreadable = errors.New("the artifact is not a document")

// Document returns the blob of an artifact with exactly one.
func Document(manifest []byte) (ocispec.Descriptor, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return ocispec.Descriptor{}, err
	}
	if len(m.Layers) != 1 {
		return ocispec.Descriptor{}, fmt.Errorf("%w: it has %d blobs", ErrUnreadable, len(m.Layers))
	}
	return m.Layers[0], nil
}
