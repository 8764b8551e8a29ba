package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/referrer"
)

// Attach puts documents next to an image of the repository, which need not be there yet: their
// blobs at once.
func (r *Repository) Attach(ctx context.Context, subject ocispec.Descriptor, documents ...referrer.Attachment) error {
	group, sending := errgroup.WithContext(ctx)
	send := func(data []byte) {
		group.Go(func() error {
			_, err := r.PutBlob(sending, data)
			return err
		})
	}
	if len(documents) > 0 {
		send(ocispec.DescriptorEmptyJSON.Data)
	}
	for _, a := range documents {
		send(a.Data)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, a := range documents {
		if err := r.refer(ctx, subject, a); err != nil {
			return err
		}
	}
	return nil
}

// refer puts the artifact of a document whose blobs are there.
// A registry that has no API for referrers gets a tag that lists them, as of
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject.
func (r *Repository) refer(ctx context.Context, subject ocispec.Descriptor, a referrer.Attachment) error {
	desc, data, err := a.Manifest(subject)
	if err != nil {
		return err
	}
	answer, err := r.putManifest(ctx, desc.Digest.String(), desc.MediaType, data)
	if err != nil || answer.header.Get("OCI-Subject") != "" {
		return err
	}
	list, err := r.listed(ctx, subject.Digest)
	if err != nil || slices.ContainsFunc(list, func(d ocispec.Descriptor) bool { return d.Digest == desc.Digest }) {
		return err
	}
	if data, err = referrer.Index(list, desc); err != nil {
		return err
	}
	return r.PutManifest(ctx, referrer.Tag(subject.Digest), ocispec.MediaTypeImageIndex, data)
}

// Referrers lists the artifacts that refer to a manifest of the repository.
func (r *Repository) Referrers(ctx context.Context, subject digest.Digest) ([]ocispec.Descriptor, error) {
	q := request{method: http.MethodGet, url: r.url("/referrers/" + subject.String()), header: http.Header{"Accept": {ocispec.MediaTypeImageIndex}}}
	// Whoever doesn't know the question may say so in several ways.
	a, err := r.try(ctx, q, http.StatusOK, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented)
	if err != nil {
		return nil, fmt.Errorf("asking what refers to %s: %w", subject, err)
	}
	var index ocispec.Index
	if a.code == http.StatusOK && json.Unmarshal(a.data, &index) == nil && index.MediaType == ocispec.MediaTypeImageIndex {
		return r.typed(ctx, index.Manifests)
	}
	return r.listed(ctx, subject)
}

// typed has the type of each artifact, which some registries take from its config alone.
func (r *Repository) typed(ctx context.Context, list []ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	for i, d := range list {
		if d.ArtifactType != "" && d.ArtifactType != ocispec.MediaTypeEmptyJSON {
			continue
		}
		_, data, err := r.Manifest(ctx, d.Digest.String())
		var m ocispec.Manifest
		if err == nil {
			err = json.Unmarshal(data, &m)
		}
		if err != nil {
			return nil, fmt.Errorf("reading what refers to an image: %w", err)
		}
		list[i].ArtifactType = m.ArtifactType
	}
	return list, nil
}

// listed reads the tag that lists referrers, where there is one.
func (r *Repository) listed(ctx context.Context, subject digest.Digest) ([]ocispec.Descriptor, error) {
	_, data, err := r.manifest(ctx, referrer.Tag(subject)) // a mirror may have an old one
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	var index ocispec.Index
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what refers to %s: %w", subject, err)
	}
	return index.Manifests, nil
}

// Document reads the document of an artifact that [Repository.Referrers] lists.
func (r *Repository) Document(ctx context.Context, artifact ocispec.Descriptor) ([]byte, error) {
	_, manifest, err := r.Manifest(ctx, artifact.Digest.String())
	if err != nil {
		return nil, err
	}
	blob, err := referrer.Document(manifest)
	if err != nil {
		return nil, err
	}
	if blob.Size > maxAnswer {
		return nil, fmt.Errorf("%w: one of %d bytes is too large", referrer.ErrUnreadable, blob.Size)
	}
	return r.ReadBlob(ctx, blob.Digest)
}
