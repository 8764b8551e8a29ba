package layout

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ReadArchive reads the image that desc names from an archive of an OCI layout,
// which one for "docker load" is, too. It seeks over the layers, so that the
// size of an archive doesn't matter; ok is false where it has no such image.
func ReadArchive(ctx context.Context, name string, desc ocispec.Descriptor) (image Image, ok bool, err error) {
	f, err := os.Open(name) //nolint:gosec // the user names the path
	if err != nil {
		return Image{}, false, err
	}
	defer f.Close()
	a, err := index(ctx, f)
	if err != nil {
		return Image{}, false, fmt.Errorf("reading archive %q: %w", name, err)
	}
	if _, ok = a.blobs[desc.Digest]; !ok {
		return Image{}, false, nil
	}
	if image, err = first(ctx, a, desc); err != nil {
		return Image{}, false, fmt.Errorf("reading archive %q: %w", name, err)
	}
	return image, true, nil
}

// archive says where in a tar the blobs are.
type archive struct{ blobs map[digest.Digest]section }

var _ content.Provider = archive{}

// ReaderAt implements [content.Provider].
func (a archive) ReaderAt(_ context.Context, desc ocispec.Descriptor) (content.ReaderAt, error) {
	s, ok := a.blobs[desc.Digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, errdefs.ErrNotFound)
	}
	return s, nil
}

type section struct{ *io.SectionReader }

// Close leaves the archive open.
func (section) Close() error { return nil }

// index finds the blobs. A tar.Reader reads no further than it has to and skips
// content by seeking, so that after a header the file stands at the content.
func index(ctx context.Context, f *os.File) (archive, error) {
	a := archive{map[digest.Digest]section{}}
	for tr := tar.NewReader(f); ctx.Err() == nil; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		dir, hex := path.Split(path.Clean(h.Name))
		if dir != "blobs/sha256/" || h.Typeflag != tar.TypeReg {
			continue
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return a, err
		}
		a.blobs[digest.NewDigestFromEncoded(digest.SHA256, hex)] = section{io.NewSectionReader(f, at, h.Size)}
	}
	return a, ctx.Err()
}
