package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/fetch"
)

// Has reports whether the repository itself, not a mirror, has a blob.
func (r *Repository) Has(ctx context.Context, d digest.Digest) (bool, error) {
	if err := r.open(ctx); err != nil {
		return false, err
	}
	q := request{method: http.MethodHead, url: r.url("/blobs/" + d.String())}
	a, err := r.try(ctx, q, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return false, fmt.Errorf("looking for blob %s in %q: %w", d, r.Name(), err)
	}
	return a.code == http.StatusOK, nil
}

// Mount mounts a blob of another repository of the same registry without sending
// its content. from is that repository without its host, such as "acme/model".
// False means that the registry can't or won't mount: upload the blob instead.
func (r *Repository) Mount(ctx context.Context, d digest.Digest, from string) (bool, error) {
	source, err := r.mounter(ctx, from)
	if err != nil {
		return false, nil //nolint:nilerr // a source that can't be read is no source
	}
	query := url.Values{"mount": {d.String()}, "from": {from}}
	q := request{method: http.MethodPost, url: r.url("/blobs/uploads/?" + query.Encode())}
	a, err := source.try(ctx, q, http.StatusCreated, http.StatusAccepted)
	switch {
	case err != nil && codeOf(err) != 0 && !fetch.IsPassing(codeOf(err)):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("mounting blob %s of %q: %w", d, from, err)
	case a.code == http.StatusCreated:
		return true, nil
	}
	if u, err := r.begun(a); err == nil {
		u.Cancel(ctx)
	}
	return false, nil
}

// mounter returns the repository with a login that may also read another one.
func (r *Repository) mounter(ctx context.Context, from string) (*Repository, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	client, ok := r.mounters[from]
	if !ok {
		var err error
		source := r.name.Repo(from)
		if client, err = r.login(ctx, r.name.Scope(transport.PushScope), source.Scope(transport.PullScope)); err != nil {
			return nil, err
		}
		r.mounters[from] = client
	}
	return &Repository{name: r.name, http: r.http, client: client, opts: r.opts}, nil
}

// PutBlob uploads a small blob, such as an image's configuration, unless the
// repository has it.
func (r *Repository) PutBlob(ctx context.Context, data []byte) (digest.Digest, error) {
	d := digest.FromBytes(data)
	err := r.Retry().Try(ctx, func() error {
		has, err := r.Has(ctx, d)
		if err != nil || has {
			return err
		}
		if err = r.whole(ctx, d, int64(len(data)), bytes.NewReader(data)); err != nil {
			err = fmt.Errorf("uploading blob %s to %q: %w", d, r.Name(), err)
		}
		return err
	})
	return d, r.explain(err)
}

// Manifest returns the manifest that a tag or a digest names, and its descriptor:
// media type, size and digest. The error is [ErrNotFound] if the repository has no
// such manifest or doesn't exist.
func (r *Repository) Manifest(ctx context.Context, reference string) (desc ocispec.Descriptor, data []byte, err error) {
	err = r.first(ctx, func(r *Repository) error {
		var a *answer
		if desc, a, err = r.manifest(ctx, reference); err == nil {
			data = a.data
		}
		return err
	})
	return desc, data, err
}

// aTag is the grammar of tags in registries.
var aTag = regexp.MustCompile(`^\w[\w.-]{0,127}$`)

func (r *Repository) manifest(ctx context.Context, reference string) (ocispec.Descriptor, *answer, error) {
	if digest.Digest(reference).Validate() != nil && !aTag.MatchString(reference) { // of an index
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: neither a tag nor a digest", reference, r.Name())
	}
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
	if len(a.data) > maxAnswer {
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: larger than %d bytes", reference, r.Name(), maxAnswer)
	}
	d := digest.FromBytes(a.data)
	if want, got := a.promised(reference, d); want != got {
		return ocispec.Descriptor{}, nil, &MismatchError{fmt.Sprintf("manifest %q of %q", reference, r.Name()), want, got}
	}
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ocispec.Descriptor{}, nil, fmt.Errorf("manifest %q of %q: reading its media type: %w", reference, r.Name(), err)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(a.data))}, a, nil
}

// promised returns the digest that a manifest must have, the requested or the announced one,
// and that of its content d, by the same algorithm. An announcement in another algorithm is
// ignored.
func (a *answer) promised(reference string, d digest.Digest) (want, got digest.Digest) {
	if want = digest.Digest(reference); want.Validate() == nil {
		return want, want.Algorithm().FromBytes(a.data)
	}
	want = digest.Digest(a.header.Get("Docker-Content-Digest"))
	if want.Validate() != nil || want.Algorithm() != d.Algorithm() {
		want = d
	}
	return want, d
}

// PutManifest uploads a manifest under a tag, or under its digest.
func (r *Repository) PutManifest(ctx context.Context, reference, mediaType string, data []byte) error {
	_, err := r.putManifest(ctx, reference, mediaType, data, nil)
	return err
}

func (r *Repository) putManifest(ctx context.Context, reference, mediaType string, data []byte, header http.Header) (*answer, error) {
	q := request{method: http.MethodPut, url: r.url("/manifests/" + reference), data: data}
	q.header = http.Header{"Content-Type": {mediaType}}
	maps.Copy(q.header, header)
	a, err := r.try(ctx, q, http.StatusCreated, http.StatusAccepted, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return nil, fmt.Errorf("putting manifest %q into %q: %w", reference, r.Name(), err)
	}
	return a, a.check(digest.FromBytes(data))
}

// Blob opens a blob, following redirects, and resumes an interrupted download. The
// error is [ErrNotFound] if the repository doesn't have it.
func (r *Repository) Blob(ctx context.Context, d digest.Digest) (body io.ReadCloser, err error) {
	err = r.first(ctx, func(r *Repository) error {
		body, err = r.blob(ctx, d)
		return err
	})
	return body, err
}

func (r *Repository) blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	q := request{method: http.MethodGet, url: r.url("/blobs/" + d.String())}
	body, err := r.client.Get(ctx, q.url)
	if err == nil {
		return body, nil
	}
	switch status, ok := errors.AsType[*fetch.StatusError](err); {
	case ok && status.Code == http.StatusNotFound:
		err = ErrNotFound
	case ok:
		err = (&answer{code: status.Code}).refusal(q)
	default:
		err = lost(ctx, err)
	}
	return nil, r.explain(fmt.Errorf("reading blob %s of %q: %w", d, r.Name(), err))
}
