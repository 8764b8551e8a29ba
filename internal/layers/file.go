package layers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// FileOptions configure [File].
type FileOptions struct {
	Name        string      // for people
	Target      string      // of the file itself in the image: absolute and clean
	Mode        fs.FileMode // 0755 if the owner may execute it, else 0644
	Data        []byte
	Compression Compression
	Platform    ocispec.Platform
}

// File packs one file as a layer, with the directories above it.
func File(ctx context.Context, store content.Store, o FileOptions) (llb.Layer, error) {
	target, err := targetDir(o.Target)
	if err == nil && target == "" {
		err = fmt.Errorf("target %q is a directory", o.Target)
	}
	if err != nil {
		return llb.Layer{}, fmt.Errorf("packing layer %q: %w", o.Name, err)
	}
	e := entry{
		name: path.Clean(target), mode: 0o644, kind: file, size: int64(len(o.Data)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o.Data)), nil },
	}
	if o.Mode&0o100 != 0 {
		e.mode = 0o755
	}
	return seal(ctx, store, o.Name, withParents([]entry{e}), o.Compression, o.Platform)
}
