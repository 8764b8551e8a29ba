package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout/blobs"
)

// maxManifest is more than any registry accepts.
const maxManifest = 32 << 20

// Cleanup removes the blobs that nothing in index.json needs, and what killed builds left
// half-written. While another build has the layout open it does nothing and reports that
// it was busy: that build's blobs have no tag yet, and its own cleanup will follow.
// Nothing else may write through l during the cleanup.
func (l *Layout) Cleanup(ctx context.Context) (blobs.Removed, error) {
	var walkErr error
	var needed map[digest.Digest]bool
	removed, err := l.store.Cleanup(ctx, func(info content.Info) bool {
		if needed == nil && walkErr == nil { // only now can't anybody set a tag
			needed, walkErr = l.needed(ctx)
		}
		return walkErr != nil || needed[info.Digest]
	})
	if walkErr != nil {
		err = fmt.Errorf("cleaning up layout %q: %w", l.Dir(), walkErr)
	}
	return removed, err
}

// needed collects the digests that can be reached from index.json.
func (l *Layout) needed(ctx context.Context) (map[digest.Digest]bool, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	seen := map[digest.Digest]bool{}
	todo := index.Manifests
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		below, err := children(ctx, l.store, d)
		if err != nil {
			return nil, err
		}
		todo = append(todo, below...)
	}
	return seen, nil
}

// node has the descriptors of both an index and a manifest.
type node struct {
	Manifests []ocispec.Descriptor `json:"manifests"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Blobs     []ocispec.Descriptor `json:"blobs"`
	Subject   *ocispec.Descriptor  `json:"subject"`
}

// children returns what an index or manifest refers to. A missing one needs nothing else;
// an unreadable one is an error, since what it needs is unknown.
func children(
	ctx context.Context, p content.InfoReaderProvider, d ocispec.Descriptor,
) ([]ocispec.Descriptor, error) {
	if !images.IsIndexType(d.MediaType) && !images.IsManifestType(d.MediaType) && d.MediaType != artifact {
		return nil, nil
	}
	info, err := p.Info(ctx, d.Digest)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	var n node
	if err == nil {
		d.Size = info.Size
		err = readJSON(ctx, p, d, &n)
	}
	if err != nil {
		return nil, err
	}
	below := slices.Concat(n.Manifests, n.Layers, n.Blobs)
	for _, one := range []*ocispec.Descriptor{n.Config, n.Subject} {
		if one != nil {
			below = append(below, *one)
		}
	}
	return below, nil
}

// artifact is a manifest without layers that some registries keep.
const artifact = "application/vnd.oci.artifact.manifest.v1+json"

// Small provides only small blobs: those of a directory that others have filled may have any
// size, whatever their descriptors say.
type Small struct{ content.Provider }

// ReaderAt implements [content.Provider].
func (s Small) ReaderAt(ctx context.Context, d ocispec.Descriptor) (content.ReaderAt, error) {
	r, err := s.Provider.ReaderAt(ctx, d)
	if err == nil && r.Size() > maxManifest {
		err = errors.Join(fmt.Errorf("%d bytes are too many for a manifest", r.Size()), r.Close())
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// readSmall reads a small blob and verifies it.
func readSmall(ctx context.Context, p content.Provider, d ocispec.Descriptor) ([]byte, error) {
	if d.Size > maxManifest {
		return nil, fmt.Errorf("reading %s: %d bytes are too many for a manifest", d.Digest, d.Size)
	}
	data, err := content.ReadBlob(ctx, Small{p}, d)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Digest, err)
	}
	if got := digest.FromBytes(data); got != d.Digest {
		return nil, fmt.Errorf("reading %s: the content has digest %s", d.Digest, got)
	}
	return data, nil
}

func readJSON(ctx context.Context, p content.Provider, d ocispec.Descriptor, into any) error {
	data, err := readSmall(ctx, p, d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", d.Digest, err)
	}
	return nil
}
