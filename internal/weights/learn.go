package weights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/registry"
)

// learn finds out the digests of layers that were made before: from the image
// that the lock pins, and from the journal. Nothing else can be trusted to know
// them, a tag least of all.
func (p *pusher) learn(ctx context.Context) error {
	for i, l := range p.Layers {
		p.layers[i] = p.journal.digest(l.key())
	}
	published, err := name.NewDigest(p.Model.Published)
	if err != nil {
		return nil //nolint:nilerr // published nowhere
	}
	for _, r := range []*registry.Repository{p.Repository, p.Published} {
		if r == nil || r.Name() != published.Context().Name() {
			continue
		}
		_, data, err := r.Manifest(ctx, published.DigestStr())
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading what was published: %w", err)
		}
		var m ocispec.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("reading what was published: %w", err)
		}
		if layers, ok := p.recognise(m); ok {
			p.layers = layers
		}
		return nil
	}
	return nil
}

// sources are the repositories of the registry to mount from.
func (p *pusher) sources() []string {
	sources := slices.Clone(p.MountFrom)
	if p.Published != nil {
		host, path, _ := strings.Cut(p.Published.Name(), "/")
		if strings.HasPrefix(p.Repository.Name(), host+"/") && p.Published.Name() != p.Repository.Name() {
			sources = append([]string{path}, sources...)
		}
	}
	return sources
}

// find looks for the very image in the repository, and sees to its tag.
func (p *pusher) find(ctx context.Context) (Image, bool, error) {
	if slices.Contains(p.layers, "") {
		return Image{}, false, nil
	}
	b, err := p.image(p.layers)
	if err != nil {
		return Image{}, false, err
	}
	_, _, err = p.Repository.Manifest(ctx, b.Manifest.Digest.String())
	if errors.Is(err, registry.ErrNotFound) {
		return Image{}, false, nil
	}
	if err != nil {
		return Image{}, false, err
	}
	for i, l := range p.Layers {
		p.report(i, Present, 0, l.Size)
	}
	b.Unchanged, err = p.tag(ctx, b)
	return b.Image, true, err
}

// tag has the tag name an image that is in the repository. It tells whether it
// did already.
func (p *pusher) tag(ctx context.Context, b bundle) (bool, error) {
	if p.Tag == "" {
		return true, nil
	}
	have, _, err := p.Repository.Manifest(ctx, p.Tag)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return false, err
	}
	if have.Digest == b.Manifest.Digest {
		return true, nil
	}
	return false, p.Repository.PutManifest(ctx, p.Tag, b.Manifest.MediaType, b.manifest)
}

// finish puts the image, whose layers are all there.
func (p *pusher) finish(ctx context.Context) (Image, error) {
	b, err := p.image(p.layers)
	if err != nil {
		return Image{}, err
	}
	if _, err := p.Repository.PutBlob(ctx, b.config); err != nil {
		return Image{}, err
	}
	reference := b.Manifest.Digest.String()
	if p.Tag != "" {
		reference = p.Tag
	}
	return b.Image, p.Repository.PutManifest(ctx, reference, b.Manifest.MediaType, b.manifest)
}
