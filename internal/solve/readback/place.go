package readback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/humanize"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/output"
	"lamina.build/stages"
)

// place is where an engine has exported an image to, not visible yet.
type place interface {
	read(context.Context, ocispec.Descriptor) ([]byte, error)
	has(context.Context, ocispec.Descriptor) (bool, error)
	add(ctx context.Context, layers []ocispec.Descriptor, from Sources) error
	put(context.Context, exported) error
}

// complete reads an image back, compares it with what was drawn, and adds the layers that the
// engine hasn't exported.
func complete(ctx context.Context, at place, o output.Output, desc ocispec.Descriptor, whole stages.Image, from Sources) (x exported, err error) {
	x.Desc = ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size, Platform: desc.Platform, Annotations: annotations(o, true)}
	if x.manifest, err = readJSON(ctx, at, desc, &x.Manifest); err != nil {
		return x, err
	}
	if x.config, err = readJSON(ctx, at, x.Manifest.Config, &x.Config); err != nil {
		return x, err
	}
	lean := whole.Lean()
	if err = errors.Join(check(lean, o, x.Image), hasAll(ctx, at, x.Manifest.Layers)); err != nil {
		return x, err
	}
	if len(lean.Parts) < len(whole.Parts) {
		added, joinErr := x.join(whole, typesOf(o).plain)
		if err = joinErr; err == nil {
			err = at.add(ctx, added, from)
		}
		if err != nil {
			return x, fmt.Errorf("adding finished layers to the image: %w", err)
		}
	}
	return x, at.put(ctx, x)
}

// maxManifest is more than any registry accepts, in bytes.
const maxManifest = 32 << 20

func readJSON(ctx context.Context, at place, d ocispec.Descriptor, into any) (data []byte, err error) {
	if d.Size > maxManifest {
		err = fmt.Errorf("%d bytes are too large", d.Size)
	} else if data, err = at.read(ctx, d); err == nil && digest.FromBytes(data) != d.Digest {
		err = fmt.Errorf("the content has digest %s", digest.FromBytes(data))
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return nil, fmt.Errorf("reading back %s: %w", d.Digest, err)
	}
	return data, nil
}

func hasAll(ctx context.Context, at place, layers []ocispec.Descriptor) error {
	problems := make([]error, 0, len(layers))
	for _, d := range layers {
		ok, err := at.has(ctx, d)
		if err == nil && !ok {
			err = fmt.Errorf("layer %s with %d bytes did not arrive", d.Digest, d.Size)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Sources say where to find the layers that engines don't export.
type Sources struct {
	Stores    []content.Provider // of the client
	Published []string           // images in registries: "registry.example/model@sha256:…"
	Registry  registry.Options   // how those are reached
	Note      func(format string, args ...any)
	// Known are layers that a layout needs no copy of, since whoever compares it has them.
	Known map[digest.Digest]bool
	// Send is called with the progress of pushes. If it is nil, the engine pushes; else the
	// client does, which is for engines of this machine.
	Send func(*client.SolveStatus)
}

// open opens a layer from the closest source.
func (s Sources) open(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	for _, store := range s.Stores {
		r, err := store.ReaderAt(ctx, d)
		if err == nil {
			return struct {
				io.ReadSeeker
				io.Closer
			}{io.NewSectionReader(r, 0, r.Size()), r}, nil
		}
		if !errdefs.IsNotFound(err) {
			return nil, err
		}
	}
	problems := []error{errdefs.ErrNotFound}
	for _, reference := range s.Published {
		r, err := registry.Open(ctx, reference, s.Registry)
		if err == nil {
			var body io.ReadCloser
			if body, err = r.Blob(ctx, d.Digest); err == nil {
				return body, nil
			}
		}
		problems = append(problems, err)
	}
	return nil, fmt.Errorf("layer %s: %w", d.Digest, errors.Join(problems...))
}

// noted is the size from which on copying a layer is worth a note, in bytes.
const noted = 1 << 30

func (s Sources) tell(d ocispec.Descriptor) {
	if d.Size >= noted {
		s.Note("copying a layer of %s into the image", humanize.Size(d.Size))
	}
}

// openAt opens a layer at an offset.
func (s Sources) openAt(ctx context.Context, d ocispec.Descriptor, from int64) (io.ReadCloser, error) {
	r, err := s.open(ctx, d)
	if err != nil {
		return nil, err
	}
	if seeker, ok := r.(io.Seeker); ok {
		_, err = seeker.Seek(from, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r, from)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// with calls use with the content of a layer.
func (s Sources) with(ctx context.Context, d ocispec.Descriptor, use func(io.Reader) error) error {
	s.tell(d)
	r, err := s.open(ctx, d)
	if err != nil {
		return err
	}
	return errors.Join(use(r), r.Close())
}

// addedAtOnce is how many layers are added in parallel.
const addedAtOnce = 8

func sideBySide[T any](ctx context.Context, layers []T, add func(context.Context, T) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(addedAtOnce)
	for _, d := range layers {
		g.Go(func() error { return add(gctx, d) })
	}
	return g.Wait()
}

// layoutPlace is a layout in a directory.
type layoutPlace struct{ store heldStore }

func (p layoutPlace) read(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
	return content.ReadBlob(ctx, layout.Small{Provider: p.store}, d)
}

func (p layoutPlace) has(ctx context.Context, d ocispec.Descriptor) (bool, error) {
	info, err := p.store.Info(ctx, d.Digest)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return info.Size == d.Size, err
}

func (p layoutPlace) add(ctx context.Context, layers []ocispec.Descriptor, from Sources) error {
	return sideBySide(ctx, layers, func(ctx context.Context, d ocispec.Descriptor) error {
		if ok, err := p.has(ctx, d); ok || err != nil || from.Known[d.Digest] {
			return err
		}
		return from.with(ctx, d, func(r io.Reader) error { return content.WriteBlob(ctx, p.store.Store, d.Digest.String(), r, d) })
	})
}

func (p layoutPlace) put(ctx context.Context, x exported) error {
	for _, d := range x.Manifest.Layers {
		if err := p.store.keep(ctx, d); err != nil {
			return err
		}
	}
	for data, d := range map[*[]byte]ocispec.Descriptor{&x.config: x.Manifest.Config, &x.manifest: x.Desc} {
		if err := content.WriteBlob(ctx, p.store.Store, d.Digest.String(), bytes.NewReader(*data), d); err != nil {
			return err
		}
	}
	return nil
}

// archivePlace is an archive that is being written.
type archivePlace struct{ *layout.Archive }

func (p archivePlace) read(_ context.Context, d ocispec.Descriptor) ([]byte, error) {
	return p.Blob(d.Digest)
}

func (p archivePlace) has(_ context.Context, d ocispec.Descriptor) (bool, error) {
	return p.Has(d), nil
}

func (p archivePlace) add(ctx context.Context, layers []ocispec.Descriptor, from Sources) (err error) {
	for _, d := range layers {
		if err == nil && !p.Has(d) {
			err = from.with(ctx, d, func(r io.Reader) error { return p.Add(d, r) })
		}
	}
	return err
}

func (p archivePlace) put(_ context.Context, x exported) error {
	return p.Replace(x.Desc, x.manifest, x.config)
}

// registryPlace is a repository, in which a manifest without a tag is found only by its digest.
type registryPlace struct {
	*registry.Repository

	sender *sender // nil if the engine pushes to it
}

func (p registryPlace) read(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
	if p.sender != nil { // it has nothing of a platform whose engine pushes
		if data, err := content.ReadBlob(ctx, p.sender.Buffer, d); err == nil {
			return data, nil
		}
	}
	if d.MediaType == ocispec.MediaTypeImageManifest {
		_, data, err := p.Manifest(ctx, d.Digest.String())
		if p.sender == nil || !errors.Is(err, registry.ErrNotFound) {
			return data, err
		} // else it was too large to be held, and was sent as a blob
	}
	r, err := p.Blob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	return data, errors.Join(err, r.Close())
}

// has relies on registries: they accept no manifest with missing blobs.
func (p registryPlace) has(context.Context, ocispec.Descriptor) (bool, error) { return true, nil }

// add mounts layers from other repositories of the registry, and uploads those that it can't.
func (p registryPlace) add(ctx context.Context, layers []ocispec.Descriptor, from Sources) error {
	return sideBySide(ctx, layers, func(ctx context.Context, d ocispec.Descriptor) error {
		ok, err := p.Has(ctx, d.Digest)
		if !ok && err == nil {
			ok, err = p.mount(ctx, d, from)
		}
		if ok || err != nil {
			return err
		}
		from.tell(d)
		return p.Put(ctx, d.Digest, d.Size, func(at int64) (io.ReadCloser, error) { return from.openAt(ctx, d, at) })
	})
}

func (p registryPlace) mount(ctx context.Context, d ocispec.Descriptor, from Sources) (ok bool, err error) {
	host, _, _ := strings.Cut(p.Name(), "/")
	for _, reference := range from.Published {
		where, _, _ := strings.Cut(reference, "@")
		if path, same := strings.CutPrefix(where, host+"/"); same && !ok && err == nil {
			ok, err = p.Mount(ctx, d.Digest, path)
		}
	}
	return ok, err
}

// put leaves the manifest for [Exports.tag].
func (p registryPlace) put(ctx context.Context, x exported) error {
	small := [][]byte{x.config}
	for _, d := range x.Manifest.Layers {
		if p.sender == nil {
			break
		}
		if data, err := content.ReadBlob(ctx, p.sender.Buffer, d); err == nil {
			small = append(small, data)
		}
	}
	return sideBySide(ctx, small, func(ctx context.Context, data []byte) error {
		_, err := p.PutBlob(ctx, data)
		return err
	})
}
