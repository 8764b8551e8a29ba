// Package container starts an image under runc, to test what was built: with its user, its
// environment and its entrypoint, on the host's network. It is not meant for long runs or
// untrusted images. It needs root.
package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/imagetest"
)

// Machine starts containers of one image, which share its files.
type Machine struct {
	Root string // directory of the image's files

	config ocispec.ImageConfig
	runc   string
	dir    string // of runc's state and the containers' bundles
}

// New unpacks an image of a layout below dir, which must be empty; the caller removes it.
func New(ctx context.Context, runc string, l *layout.Layout, image layout.Image, dir string) (*Machine, error) {
	m := &Machine{Root: filepath.Join(dir, "rootfs"), config: image.Config.Config.ImageConfig, runc: runc, dir: dir}
	if err := m.unpack(ctx, l, image); err != nil {
		return nil, fmt.Errorf("unpacking the image: %w", err)
	}
	return m, nil
}

func (m *Machine) unpack(ctx context.Context, l *layout.Layout, image layout.Image) (err error) {
	directory, err := layout.PrepareDir(m.Root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	for _, layer := range image.Layers() {
		err := imagetest.Tar(ctx, l.Store(), layer, func(r io.Reader) error { return directory.Read(r) })
		if err != nil {
			return fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
	}
	return directory.Commit()
}
