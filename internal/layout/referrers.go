package layout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/referrer"
)

// subjectName is the annotation in index.json that names the subject of an artifact. A
// layout has no other field for it that is read without the artifact.
const subjectName = "build.lamina.subject"

// Attach attaches documents to a tagged image, and returns their artifacts. They go when
// its last tag goes.
func (l *Layout) Attach(ctx context.Context, subject ocispec.Descriptor, documents []referrer.Attachment) ([]ocispec.Descriptor, error) {
	list := make([]ocispec.Descriptor, len(documents))
	for i, a := range documents {
		desc, manifest, err := a.Manifest(subject)
		for _, data := range [][]byte{ocispec.DescriptorEmptyJSON.Data, a.Data, manifest} {
			if err == nil {
				err = l.write(ctx, data)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", a.Name, err)
		}
		desc.Annotations[subjectName] = subject.Digest.String()
		list[i] = desc
	}
	err := l.change(ctx, func(index *ocispec.Index) {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool {
			return slices.ContainsFunc(list, func(own ocispec.Descriptor) bool { return own.Digest == d.Digest })
		})
		index.Manifests = append(index.Manifests, list...)
	})
	if err != nil {
		return nil, fmt.Errorf("attaching documents: %w", err)
	}
	return list, nil
}

func (l *Layout) write(ctx context.Context, data []byte) error {
	d := ocispec.Descriptor{Digest: digest.FromBytes(data), Size: int64(len(data))}
	err := content.WriteBlob(ctx, l.store, d.Digest.String(), bytes.NewReader(data), d)
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Referrers lists the artifacts that refer to a manifest.
func (l *Layout) Referrers(subject digest.Digest) ([]ocispec.Descriptor, error) {
	index, err := l.index()
	return slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool {
		return d.Annotations[subjectName] != subject.String()
	}), err
}

// Document reads the document of an artifact that [Layout.Referrers] lists.
func (l *Layout) Document(ctx context.Context, artifact ocispec.Descriptor) ([]byte, error) {
	manifest, err := readSmall(ctx, l.store, artifact)
	if err != nil {
		return nil, err
	}
	blob, err := referrer.Document(manifest)
	if err != nil {
		return nil, err
	}
	return readSmall(ctx, l.store, blob)
}

// Blob opens a blob.
func (l *Layout) Blob(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	r, err := l.store.ReaderAt(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Digest, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{content.NewReader(r), r}, nil
}

// withoutOrphans removes what refers to an image that neither has a tag any more, nor is in
// an index that has one.
func (l *Layout) withoutOrphans(ctx context.Context, list []ocispec.Descriptor) []ocispec.Descriptor {
	tagged := map[string]bool{"": true}
	for _, d := range list {
		if tagOf(d) == "" {
			continue
		}
		tagged[d.Digest.String()] = true
		if !images.IsIndexType(d.MediaType) {
			continue
		}
		below, err := children(ctx, l.store, d)
		if err != nil { // unknown content
			return list
		}
		for _, one := range below {
			tagged[one.Digest.String()] = true
		}
	}
	return slices.DeleteFunc(list, func(d ocispec.Descriptor) bool { return !tagged[d.Annotations[subjectName]] })
}
