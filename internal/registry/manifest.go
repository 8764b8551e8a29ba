package registry

import (
	"context"
	"fmt"
	"mime"
	"net/http"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest returns what a tag or a digest names, and a descriptor of it: its
// media type, its size and the digest of its bytes. The error is [ErrNotFound]
// if the repository has nothing there, or if there is no repository.
func (r *Repository) Manifest(ctx context.Context, reference string) (ocispec.Descriptor, []byte, error) {
	q := request{method: http.MethodGet, url: r.url("/manifests/" + reference), header: http.Header{"Accept": {
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	}}}
	a, err := r.try(ctx, q, http.StatusOK, http.StatusNotFound)
	switch {
	case err != nil:
		return ocispec.Descriptor{}, nil, fmt.Errorf("reading manifest %q of %q: %w", reference, r.Name(), err)
	case a.code == http.StatusNotFound:
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: %w", reference, r.Name(), ErrNotFound)
	}
	d := digest.FromBytes(a.data)
	if want := a.promised(reference); want != d && want.Algorithm() == d.Algorithm() || len(a.data) > maxAnswer {
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: its digest is %s and not %s", reference, r.Name(), d, want)
	}
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: reading its media type: %w", reference, r.Name(), err)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(a.data))}, a.data, nil
}

// promised is the digest that a manifest is to have: the one asked for, else
// the one announced, else one that says nothing.
func (a *answer) promised(reference string) digest.Digest {
	for _, d := range []string{reference, a.header.Get("Docker-Content-Digest")} {
		if digest.Digest(d).Validate() == nil {
			return digest.Digest(d)
		}
	}
	return "none:"
}

// PutManifest puts a manifest under a tag, or under its digest.
func (r *Repository) PutManifest(ctx context.Context, reference, mediaType string, data []byte) error {
	q := request{method: http.MethodPut, url: r.url("/manifests/" + reference), data: data}
	q.header = http.Header{"Content-Type": {mediaType}}
	a, err := r.try(ctx, q, http.StatusCreated, http.StatusAccepted, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return fmt.Errorf("putting manifest %q into %q: %w", reference, r.Name(), err)
	}
	return a.check(digest.FromBytes(data))
}
