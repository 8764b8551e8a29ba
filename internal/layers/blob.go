package layers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Compression is how a layer is stored.
type Compression int

const (
	// Zstd is for everything that compresses, at its default level.
	Zstd Compression = iota
	// Uncompressed is for weights: they barely shrink, and a pull would wait for
	// decompression. The blob's digest is the diff ID.
	Uncompressed
)

// mediaType returns the media type of a layer with this compression.
func (c Compression) mediaType() string {
	if c == Uncompressed {
		return ocispec.MediaTypeImageLayer
	}
	return ocispec.MediaTypeImageLayerZstd
}

// compress returns a writer that must be closed to complete the output to w. The output
// depends only on the library's version, neither on the number of cores nor on the sizes
// of the writes.
func (c Compression) compress(w io.Writer) (io.WriteCloser, error) {
	if c == Uncompressed {
		return nopCloser{w}, nil
	}
	return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(2))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// blob is a measured layer.
type blob struct {
	desc   ocispec.Descriptor
	diffID digest.Digest
	size   int64 // of the tar
}

// putLayer stores the layer unless the store has it.
func putLayer(ctx context.Context, store content.Store, entries []entry, c Compression) (blob, error) {
	b, err := measure(ctx, io.Discard, entries, c)
	if err != nil {
		return blob{}, err
	}
	return b, put(ctx, store, b.desc, func(w io.Writer) error {
		_, err := measure(ctx, w, entries, c)
		return err
	})
}

// measure writes the layer to w and returns its digests and sizes.
func measure(ctx context.Context, w io.Writer, entries []entry, c Compression) (blob, error) {
	packed := counter{digester: digest.Canonical.Digester(), w: w}
	comp, err := c.compress(&packed)
	if err != nil {
		return blob{}, err
	}
	plain := &packed
	if c != Uncompressed { // else one hash serves both
		plain = &counter{digester: digest.Canonical.Digester(), w: comp}
	}
	if err := errors.Join(writeTar(ctx, plain, entries), comp.Close()); err != nil {
		return blob{}, err
	}
	return blob{
		desc:   ocispec.Descriptor{MediaType: c.mediaType(), Digest: packed.digester.Digest(), Size: packed.n},
		diffID: plain.digester.Digest(),
		size:   plain.n,
	}, nil
}

type counter struct {
	digester digest.Digester
	n        int64
	w        io.Writer
}

func (c *counter) Write(p []byte) (int, error) {
	_, _ = c.digester.Hash().Write(p) // a hash never fails
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// put writes a blob with fill, unless the store has it. If it fails, nothing stays
// behind.
func put(
	ctx context.Context, store content.Store, desc ocispec.Descriptor, fill func(io.Writer) error,
) (err error) {
	if _, err = store.Info(ctx, desc.Digest); err == nil || !errdefs.IsNotFound(err) {
		return err
	}
	ref := "pack-" + desc.Digest.String()
	w, err := content.OpenWriter(ctx, store, content.WithRef(ref), content.WithDescriptor(desc))
	if errdefs.IsAlreadyExists(err) { // another process was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", desc.Digest, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close(), drop(context.WithoutCancel(ctx), store, ref))
		}
	}()
	if err = errors.Join(w.Truncate(0), fill(w)); err != nil { // a plain store may resume: start over
		return err
	}
	err = w.Commit(ctx, desc.Size, desc.Digest)
	switch {
	case errdefs.IsAlreadyExists(err):
		return nil
	case errdefs.IsFailedPrecondition(err):
		return ErrChanged
	}
	return err
}

func drop(ctx context.Context, store content.IngestManager, ref string) error {
	if err := store.Abort(ctx, ref); !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}

func putBytes(
	ctx context.Context, store content.Store, mediaType string, data []byte,
) (ocispec.Descriptor, error) {
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return desc, put(ctx, store, desc, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}
