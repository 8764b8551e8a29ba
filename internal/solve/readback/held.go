package readback

import (
	"context"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/util/contentutil"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// heldSize is more than the size of most manifests and configs, in bytes.
const heldSize = 256 << 10

// heldStore is a store that holds small blobs from an engine in memory until it is known which
// of them an image needs: every write to the store waits for the disk.
type heldStore struct {
	content.Store
	held contentutil.Buffer
}

func holdBack(s content.Store) heldStore { return heldStore{s, contentutil.NewBuffer()} }

// optionsOf returns what options say of a blob to be written.
func optionsOf(opts []content.WriterOpt) (o content.WriterOpts, err error) {
	for _, opt := range opts {
		if err = opt(&o); err != nil {
			break
		}
	}
	return o, err
}

// Writer writes a blob.
func (s heldStore) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	o, err := optionsOf(opts)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Info(ctx, o.Desc.Digest); err != nil && o.Desc.Size > 0 && o.Desc.Size <= heldSize {
		return s.held.Writer(ctx, opts...)
	}
	return s.Store.Writer(ctx, opts...)
}

// Info describes a blob.
func (s heldStore) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if info, err := s.held.Info(ctx, d); err == nil {
		return info, nil
	}
	return s.Store.Info(ctx, d)
}

// ReaderAt opens a blob.
func (s heldStore) ReaderAt(ctx context.Context, d ocispec.Descriptor) (content.ReaderAt, error) {
	if r, err := s.held.ReaderAt(ctx, d); err == nil {
		return r, nil
	}
	return s.Store.ReaderAt(ctx, d)
}

// keep writes a held blob to the store.
func (s heldStore) keep(ctx context.Context, d ocispec.Descriptor) error {
	r, err := s.held.ReaderAt(ctx, d)
	if err != nil {
		return nil //nolint:nilerr // the store has it
	}
	return content.WriteBlob(ctx, s.Store, d.Digest.String(), content.NewReader(r), d)
}
