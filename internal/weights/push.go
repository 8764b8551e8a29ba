package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// PushOptions configure the destination in a registry. The fields after Repository are
// optional.
type PushOptions struct {
	Job

	Repository *registry.Repository
	Tag        string // of an index, with the image for nodes of each platform
	ModelPack  bool   // the tag with [ModelPackSuffix] names the layers as a ModelPack
	// Published is the repository of [lock.Model.Published], if it is another one. The
	// layers' digests are read there, and mounted from there if the registry is the
	// same.
	Published *registry.Repository
	MountFrom []string // more repositories of the registry that may have layers: "acme/model"
	Journal   string   // directory that records uploads, so that interrupted ones can be resumed
	Rate      int64    // bytes per second of one upload, if known
}

// Push streams the layers of a model into a repository and finally names them by a
// manifest. Layers that the registry has aren't sent.
//
// Limits of the registry are checked before a byte moves and give a
// [*registry.LayerError] or a [*registry.SlowError]. A [*MismatchError] concerns one
// layer: the others are still moved, and kept. After any error the next Push
// continues.
func Push(ctx context.Context, o PushOptions) (Image, error) {
	o.Job = o.complete()
	if err := o.check(); err != nil {
		return Image{}, err
	}
	p := &pusher{PushOptions: o, fetcher: newFetcher(o.Job), layers: make([]digest.Digest, len(o.Layers))}
	p.journal = journal{dir: o.Journal, place: o.Repository.Name()}
	if err := p.journal.open(); err != nil {
		return Image{}, fmt.Errorf("opening the journal of uploads: %w", err)
	}
	o.announce()
	if err := p.learn(ctx); err != nil {
		return Image{}, err
	}
	if image, ok, err := p.find(ctx); ok || err != nil {
		return image, err
	}
	if err := o.each(ctx, "pushing", p.journal, p.push); err != nil {
		return Image{}, err
	}
	return p.finish(ctx)
}

// check compares the layers with the limits of the registry.
func (o PushOptions) check() error {
	problems := make([]error, len(o.Layers))
	for i, l := range o.Layers {
		problems[i] = o.Repository.Limits().Check(l.Name, l.Size, o.Rate)
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

// pusher is one Push.
type pusher struct {
	PushOptions

	fetcher *fetcher
	journal journal
	layers  []digest.Digest // as far as known
}

// push moves one layer into the repository, in the cheapest way that works.
func (p *pusher) push(ctx context.Context, i int, key digest.Digest) error {
	want := cmp.Or(p.layers[i], p.journal.digest(key))
	state, err := p.existing(ctx, i, want)
	if err != nil || state != Waiting {
		return err
	}
	up := &upload{
		repo: p.Repository, record: p.journal.record(key),
		at: func(from, bytes int64) { p.report(i, Moving, from, bytes) },
	}
	up.flow = flow{fetcher: p.fetcher, hash: newHasher(&p.Layers[i], want)}
	if p.layers[i], err = up.run(ctx); err != nil {
		p.report(i, Failed, up.from, up.from)
		return err
	}
	p.report(i, Done, up.from, p.Layers[i].Size)
	return p.journal.learn(key, p.layers[i])
}

// existing finds a layer that the registry already has.
func (p *pusher) existing(ctx context.Context, i int, d digest.Digest) (State, error) {
	if d == "" {
		return Waiting, nil
	}
	has, err := p.Repository.Has(ctx, d)
	state := Present
	if err == nil && !has {
		state = Mounted
		has, err = p.mount(ctx, d)
	}
	if err != nil || !has {
		return Waiting, err
	}
	p.layers[i] = d
	p.report(i, state, 0, p.Layers[i].Size)
	return state, p.journal.learn(p.Layers[i].key(), d)
}

func (p *pusher) mount(ctx context.Context, d digest.Digest) (bool, error) {
	for _, from := range p.sources() {
		if ok, err := p.Repository.Mount(ctx, d, from); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// learn finds out the digests of layers that were made before: from the image
// that the lock pins, and from the journal. No other source can be trusted, least of
// all a tag.
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
		image, err := p.CheckPublished(ctx, r, p.Journal)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			continue
		case err == nil:
			for i, l := range image.Layers {
				p.layers[i] = l.Digest
			}
		case failure.KindOf(err) != failure.Findings: // else it is made again
			return fmt.Errorf("reading the published model: %w", err)
		}
		return nil
	}
	return nil
}

// sources returns the repositories of the registry to mount from.
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

// find looks for the identical image in the repository, and updates its tag.
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
	b.Unchanged, err = p.tag(ctx)
	return b.Image, true, err
}

// tag makes the tags name the image. It reports whether they already did.
func (p *pusher) tag(ctx context.Context) (bool, error) {
	tags, err := p.tags()
	if err != nil {
		return false, err
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		have, _, err := p.Repository.Manifest(ctx, tag)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return false, err
		}
		if have.Digest != tags[tag][len(tags[tag])-1].desc.Digest {
			return false, p.name(ctx, tags)
		}
	}
	return true, nil
}

// tags returns the documents of each tag; the last one is what the tag names.
func (p *pusher) tags() (map[string][]document, error) {
	if p.Tag == "" {
		return nil, nil
	}
	index, images, err := p.index(p.layers)
	tags := map[string][]document{p.Tag: append(images, index)}
	if err == nil && p.ModelPack {
		var pack document
		pack, err = p.modelPack(p.layers)
		tags[p.Tag+ModelPackSuffix] = []document{pack}
	}
	return tags, err
}

// name uploads documents, and each tag after all that it needs.
func (p *pusher) name(ctx context.Context, tags map[string][]document) error {
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		for i, d := range tags[tag] {
			reference := d.desc.Digest.String()
			if i == len(tags[tag])-1 {
				reference = tag
			}
			if err := p.put(ctx, d, reference); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pusher) put(ctx context.Context, d document, reference string) error {
	if d.config != nil {
		if _, err := p.Repository.PutBlob(ctx, d.config); err != nil {
			return err
		}
	}
	return p.Repository.PutManifest(ctx, reference, d.desc.MediaType, d.data)
}

// finish uploads the image, whose layers all exist.
func (p *pusher) finish(ctx context.Context) (Image, error) {
	b, err := p.image(p.layers)
	if err != nil {
		return Image{}, err
	}
	tags, err := p.tags()
	if err == nil && tags == nil {
		err = p.put(ctx, document{desc: b.Manifest, config: b.config, data: b.manifest}, b.Manifest.Digest.String())
	}
	if err == nil {
		err = p.name(ctx, tags)
	}
	return b.Image, err
}
