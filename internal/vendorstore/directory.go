package vendorstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/llb"
)

// directory is an OCI layout.
type directory struct{ layout *layout.Layout }

// Make opens the store in a directory, creating it if needed.
func Make(ctx context.Context, dir string) (*Store, error) {
	l, err := layout.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, directory{l})
}

// Open opens an existing store in a directory.
func Open(ctx context.Context, dir string) (*Store, error) {
	_, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nothing(fmt.Sprintf("directory %q", dir), dir)
	case err != nil:
		return nil, failure.New(failure.Usage, err)
	}
	return Make(ctx, dir)
}

// nothing returns the error of a place without sources.
func nothing(place, name string) error {
	err := failure.New(failure.Usage, fmt.Errorf("%s holds no vendored sources", place))
	return failure.WithHint(err, fmt.Sprintf("\"build vendor %s\" puts them there", name))
}

// Layout returns the layout of a directory store, which also has models; nil for a registry.
func (s *Store) Layout() *layout.Layout {
	f, _ := s.place.(directory)
	return f.layout
}

func (f directory) lists(ctx context.Context) (list []ocispec.Manifest, err error) {
	tags, err := f.layout.Tags()
	for _, tag := range tags {
		image, unread := f.layout.Read(ctx, tag)
		if unread != nil {
			return nil, unread
		}
		list = append(list, image.Manifest)
	}
	return list, err
}

func (f directory) has(ctx context.Context, d ocispec.Descriptor) (bool, error) {
	info, err := f.layout.Store().Info(ctx, d.Digest)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return info.Size == d.Size, err
}

func (f directory) keep(ctx context.Context, source Source, fill func(io.Writer) error) (d ocispec.Descriptor, err error) {
	store, ref := f.layout.Store(), "vendor-"+source.Key()
	if source.Digest != "" { // an altered one is in the way
		_ = store.Delete(ctx, source.Digest)
	}
	w, err := content.OpenWriter(ctx, store, content.WithRef(ref))
	if err != nil {
		return d, fmt.Errorf("storing %s: %w", source.Name, err)
	}
	defer func() {
		if err != nil {
			_ = w.Close()
			_ = store.Abort(context.WithoutCancel(ctx), ref)
		}
	}()
	if err = fill(w); err != nil {
		return d, err
	}
	status, err := w.Status()
	if err == nil {
		d = ocispec.Descriptor{Digest: w.Digest(), Size: status.Offset}
		if source.Commit != "" {
			_ = store.Delete(ctx, d.Digest)
		}
		err = w.Commit(ctx, d.Size, d.Digest)
	}
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return d, fmt.Errorf("storing %s: %w", source.Name, err)
	}
	return d, nil
}

// list also removes blobs that no list names any more.
func (f directory) list(ctx context.Context, project string, manifest []byte) error {
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	for blob, data := range map[*ocispec.Descriptor][]byte{&d: manifest, &ocispec.DescriptorEmptyJSON: ocispec.DescriptorEmptyJSON.Data} {
		if err := content.WriteBlob(ctx, f.layout.Store(), "vendor-"+blob.Digest.String(), bytes.NewReader(data), *blob); err != nil {
			return err
		}
	}
	err := f.layout.Tag(ctx, project, d)
	if err == nil {
		_, err = f.layout.Cleanup(ctx)
	}
	return err
}

func (f directory) where(d digest.Digest) string {
	return filepath.Join(f.layout.Dir(), ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

func (f directory) trusted() bool { return false }

func (f directory) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	return f.layout.Blob(ctx, ocispec.Descriptor{Digest: d})
}

func (f directory) Identifier(d digest.Digest) string { return llb.Vendored(d) }

func (f directory) Name() string { return f.layout.Dir() }

func (f directory) Close() error { return f.layout.Close() }
