package registry

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
)

// Has tells whether the repository has a blob.
func (r *Repository) Has(ctx context.Context, d digest.Digest) (bool, error) {
	q := request{method: http.MethodHead, url: r.url("/blobs/" + d.String())}
	a, err := r.try(ctx, q, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return false, fmt.Errorf("looking for blob %s in %q: %w", d, r.Name(), err)
	}
	return a.code == http.StatusOK, nil
}

// Mount lets the repository have a blob of another one of the same registry,
// without a byte being sent. from is that repository without its host, such as
// "acme/model". False is a registry that can't or won't: upload the blob then.
func (r *Repository) Mount(ctx context.Context, d digest.Digest, from string) (bool, error) {
	source, err := r.mounter(ctx, from)
	if err != nil {
		return false, nil //nolint:nilerr // a source that can't be read is none
	}
	query := url.Values{"mount": {d.String()}, "from": {from}}
	q := request{method: http.MethodPost, url: r.url("/blobs/uploads/?" + query.Encode())}
	a, err := source.try(ctx, q, http.StatusCreated, http.StatusAccepted)
	switch {
	case err != nil && codeOf(err) != 0 && !isBusy(codeOf(err)):
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

// mounter returns the repository with a login that may read another one, too.
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
	return &Repository{name: r.name, client: client, opts: r.opts}, nil
}

// PutBlob uploads a small blob, such as an image's configuration, unless the
// repository has it.
func (r *Repository) PutBlob(ctx context.Context, data []byte) (digest.Digest, error) {
	d := digest.FromBytes(data)
	for p := r.pause(); ; {
		has, err := r.Has(ctx, d)
		if err != nil || has {
			return d, err
		}
		err = r.whole(ctx, d, int64(len(data)), bytes.NewReader(data))
		if mayRetry(err) {
			if err = p.wait(ctx, nil, err); err == nil {
				continue
			}
		}
		if err != nil {
			err = r.explain(fmt.Errorf("uploading blob %s to %q: %w", d, r.Name(), err))
		}
		return d, err
	}
}
