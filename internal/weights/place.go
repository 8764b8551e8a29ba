package weights

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// learn finds out the digests of layers from the image that the tag names. One
// that can't be read has nothing to say: this pull makes it anew.
func (p *puller) learn(ctx context.Context) {
	have, err := p.layout.Read(ctx, p.Tag)
	if err != nil {
		return
	}
	p.tagged = have.Desc.Digest
	if layers, ok := p.recognise(have.Manifest); ok {
		p.known = layers
	}
}

// present returns the digest of a layer that is in the layout, or "".
func (p *puller) present(ctx context.Context, i int) (digest.Digest, error) {
	d := cmp.Or(p.known[i], p.journal.digest(p.Layers[i].key()))
	if d == "" {
		return "", nil
	}
	info, err := p.layout.Store().Info(ctx, d)
	if errdefs.IsNotFound(err) || err == nil && info.Size != p.Layers[i].Size {
		return "", nil
	}
	return d, err
}

// keep makes a blob of the partial file.
func (p *puller) keep(i int, key digest.Digest) error {
	blob := filepath.Join(p.blobs(), p.layers[i].Encoded())
	if err := p.journal.learn(key, p.layers[i]); err != nil {
		return err
	}
	if err := os.Rename(p.partial(key), blob); err != nil {
		return err
	}
	err := os.Chmod(blob, 0o444) //nolint:gosec // the mode that blobs have
	return errors.Join(err, syncDir(p.blobs()))
}

// finish names the layers, which are all there.
func (p *puller) finish(ctx context.Context) (Image, error) {
	b, err := p.image(p.layers)
	if err != nil {
		return Image{}, err
	}
	b.Unchanged = p.tagged == b.Manifest.Digest && !p.moved.Load()
	config := describe(ocispec.MediaTypeImageConfig, b.config)
	for _, blob := range []struct {
		ocispec.Descriptor

		data []byte
	}{{config, b.config}, {b.Manifest, b.manifest}} {
		ref := blob.Digest.String()
		if err := content.WriteBlob(ctx, p.layout.Store(), ref, bytes.NewReader(blob.data), blob.Descriptor); err != nil {
			return Image{}, fmt.Errorf("storing the image: %w", err)
		}
	}
	return b.Image, errors.Join(p.layout.Tag(ctx, p.Tag, b.Manifest), p.dropStale(time.Now()))
}

// stale is how long a partial file waits for somebody to go on with it.
const stale = 30 * 24 * time.Hour

// dropStale removes partial files of models that nobody pulls any more.
func (p *puller) dropStale(now time.Time) error {
	partials, err := filepath.Glob(p.journal.path("*.partial"))
	for _, path := range partials {
		if info, statErr := os.Stat(path); statErr == nil && now.Sub(info.ModTime()) > stale {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
