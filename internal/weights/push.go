package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// PushOptions say what goes where in a registry. The zero value of each field
// after Repository stands for none.
type PushOptions struct {
	Job

	Repository *registry.Repository
	Tag        string // of the image
	// Published is where [lock.Model.Published] is, if that is another repository.
	// The layers' digests are read there, and on the same registry they are mounted
	// from there.
	Published *registry.Repository
	MountFrom []string      // further repositories of the registry that may have layers: "acme/model"
	Journal   string        // folder in which uploads are remembered, so that a cut one goes on
	Rate      int64         // bytes per second of one upload, as far as known
	Wait      time.Duration // before a layer that goes in one request is sent again, doubled each time; 1 s
}

// Push streams the layers of a model into a repository and names them by a
// manifest, which comes last. Layers that the registry has aren't sent.
//
// Errors: what the registry won't take is known before a byte moves, as
// [*registry.LayerError] and [*registry.SlowError]. A [*MismatchError] is of one
// layer: the others are moved nevertheless, and stay. Any error leaves behind
// what a next Push goes on with.
func Push(ctx context.Context, o PushOptions) (Image, error) {
	o.Job = o.complete()
	o.Wait = cmp.Or(o.Wait, time.Second)
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
	if err := o.each(ctx, "pushing", p.push); err != nil {
		return Image{}, err
	}
	return p.finish(ctx)
}

// check holds the layers against what the registry takes.
func (o PushOptions) check() error {
	sizes := make([]registry.Size, len(o.Layers))
	for i, l := range o.Layers {
		sizes[i] = registry.Size{Name: l.Name, Bytes: l.Size}
	}
	return failure.New(failure.Usage, errors.Join(registry.Check(o.Repository.Limits(), sizes, o.Rate)...))
}

// pusher is one Push.
type pusher struct {
	PushOptions

	fetcher *fetcher
	journal journal
	layers  []digest.Digest // as far as known
}

// push brings one layer into the repository, in the cheapest way that works.
func (p *pusher) push(ctx context.Context, i int) (err error) {
	key := p.Layers[i].key()
	unlock, err := p.journal.lock(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	want := cmp.Or(p.layers[i], p.journal.digest(key))
	state, err := p.adopt(ctx, i, want)
	if err != nil || state != Waiting {
		return err
	}
	tape := newTape(p.Layers[i])
	up := &upload{
		repo: p.Repository, record: p.journal.record(key), wait: p.Wait,
		at: func(from, bytes int64) { p.report(i, Moving, from, bytes) },
	}
	up.flow = flow{fetcher: p.fetcher, tape: tape, hash: newHasher(tape, want)}
	if p.layers[i], err = up.run(ctx); err != nil {
		p.report(i, Failed, up.from, up.from)
		return err
	}
	p.report(i, Done, up.from, tape.size)
	return p.journal.learn(key, p.layers[i])
}

// adopt finds a layer that is on the registry already.
func (p *pusher) adopt(ctx context.Context, i int, d digest.Digest) (State, error) {
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
