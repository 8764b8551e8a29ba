package layout

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an image of one platform in a store.
type Image struct {
	Desc     ocispec.Descriptor // of the manifest
	Manifest ocispec.Manifest
	Config   dockerspec.DockerOCIImage
}

// Layers returns the compressed layers, the lowest first.
func (i Image) Layers() []ocispec.Descriptor { return i.Manifest.Layers }

// Read reads the image of a tag, or the first one of an index.
func (l *Layout) Read(ctx context.Context, tag string) (Image, error) {
	list, err := l.ReadAll(ctx, tag)
	if err != nil {
		return Image{}, err
	}
	return list[0], nil
}

// ReadAll reads the image of a tag, or all of an index.
func (l *Layout) ReadAll(ctx context.Context, tag string) ([]Image, error) {
	desc, err := l.Tagged(tag)
	if err != nil {
		return nil, err
	}
	list, err := Images(ctx, l.store, desc)
	if err == nil && len(list) == 0 {
		err = errors.New("the index has no image")
	}
	if err != nil {
		return nil, fmt.Errorf("reading image %q: %w", tag, err)
	}
	return list, nil
}

// Verify reads all layers of an image, and reports those that are missing or altered: a
// manifest only names them.
func (l *Layout) Verify(ctx context.Context, image Image) error {
	var problems []error
	for i, d := range image.Layers() {
		r, err := l.Blob(ctx, d)
		if err == nil {
			verifier := d.Digest.Verifier()
			_, err = io.Copy(verifier, contextReader{ctx, r})
			if err = errors.Join(err, r.Close()); err == nil && !verifier.Verified() {
				err = errors.New("its content has another digest")
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("layer %d, %s: %w", i+1, d.Digest, err))
		}
	}
	return errors.Join(problems...)
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// Tagged returns what a tag names: a manifest or an index.
func (l *Layout) Tagged(tag string) (ocispec.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for _, d := range index.Manifests {
		if tagOf(d) == tag {
			return d, nil
		}
	}
	return ocispec.Descriptor{}, fmt.Errorf("reading image %q: %w", tag, ErrNoTag)
}

// Images reads the image that desc names, or all of an index, including nested ones. It
// omits attestations, which BuildKit keeps next to the images as manifests of an unknown
// platform.
func Images(ctx context.Context, p content.Provider, desc ocispec.Descriptor) ([]Image, error) {
	if images.IsIndexType(desc.MediaType) {
		var index ocispec.Index
		if err := readJSON(ctx, p, desc, &index); err != nil {
			return nil, err
		}
		var list []Image
		for _, d := range index.Manifests {
			if d.Platform != nil && d.Platform.OS == "unknown" {
				continue
			}
			below, err := Images(ctx, p, d)
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
		}
		return list, nil
	}
	image := Image{Desc: desc}
	if err := readJSON(ctx, p, desc, &image.Manifest); err != nil {
		return nil, err
	}
	if err := readJSON(ctx, p, image.Manifest.Config, &image.Config); err != nil {
		return nil, err
	}
	return []Image{image}, nil
}
