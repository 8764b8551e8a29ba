// Package imagetest checks built images: what is in their layers, and whether an image is
// complete and the same wherever it is built.
package imagetest

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Entry is one entry of a layer.
type Entry struct {
	Path string // absolute, without a trailing slash
	Mode fs.FileMode
	UID  int
	GID  int
	Size int64
	Link string // target of a symlink or hard link
}

// Entries lists a layer in the order of its tar.
func Entries(ctx context.Context, p content.Provider, layer ocispec.Descriptor) (list []Entry, err error) {
	_, err = walk(ctx, p, layer, func(h *tar.Header) {
		list = append(list, Entry{
			Path: absolute(h.Name), Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid,
			Size: h.Size, Link: h.Linkname,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing layer %s: %w", layer.Digest, err)
	}
	return list, nil
}

// absolute returns an entry's name as a path of the image.
func absolute(name string) string { return path.Join("/", name) }

// Tar reads a layer as an uncompressed tar.
func Tar(ctx context.Context, p content.Provider, layer ocispec.Descriptor, read func(io.Reader) error) error {
	_, err := stream(ctx, p, layer, read)
	return err
}

// walk calls visit for every header of a layer.
func walk(ctx context.Context, p content.Provider, layer ocispec.Descriptor, visit func(*tar.Header)) (streamed, error) {
	return stream(ctx, p, layer, func(r io.Reader) error {
		for t := tar.NewReader(r); ; {
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			visit(h)
		}
	})
}

// streamed is the result of reading a layer to its end.
type streamed struct {
	digest digest.Digest // of the blob
	size   int64
	diffID digest.Digest
}

func stream(
	ctx context.Context, p content.Provider, layer ocispec.Descriptor, read func(io.Reader) error,
) (s streamed, err error) {
	ra, err := p.ReaderAt(ctx, layer)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, ra.Close()) }()

	blob := digest.Canonical.Digester()
	raw := bufio.NewReaderSize(io.TeeReader(io.NewSectionReader(ra, 0, ra.Size()), blob.Hash()), 256<<10)
	plain, err := decompress(raw, layer.MediaType)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()

	diff := digest.Canonical.Digester()
	content := io.TeeReader(plain, diff.Hash())
	if err = read(content); err != nil {
		return s, err
	}
	// What follows the end of the tar is part of the digests, too.
	if _, err = io.Copy(io.Discard, content); err == nil {
		_, err = io.Copy(io.Discard, raw)
	}
	return streamed{digest: blob.Digest(), size: ra.Size(), diffID: diff.Digest()}, err
}

func decompress(r io.Reader, mediaType string) (io.ReadCloser, error) {
	switch mediaType {
	case ocispec.MediaTypeImageLayer:
		return io.NopCloser(r), nil
	case ocispec.MediaTypeImageLayerGzip, "application/vnd.docker.image.rootfs.diff.tar.gzip":
		return gzip.NewReader(r)
	case ocispec.MediaTypeImageLayerZstd:
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("media type %q is not one of a layer", mediaType)
}
