package lamina

import (
	"context"
	"errors"
	"fmt"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/resolve"
	"lamina.build/internal/resolve/uv"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// Upgrade names the Python packages that don't keep their locked versions.
type Upgrade struct {
	All      bool
	Packages []string // names of projects
}

// Lock finds the newest packages that satisfy the spec, and writes the lock. It also
// returns the previous one, which is empty if there was none. It replaces even a lock
// that can't be read, as the hint of that error advises.
func (p *Project) Lock(ctx context.Context, up Upgrade) (after, before lock.Lock, err error) {
	if p.o.Offline {
		err = failure.New(failure.Usage, errors.New("making a lock requires the network, which is not allowed offline"))
		return after, before, failure.WithHint(err, "lock first, without --offline")
	}
	if err = p.checkPlace(); err != nil {
		return after, before, err
	}
	before, _, unread := p.readBefore()
	if unread != nil {
		p.note("%v: versions of Python packages are not kept", unread)
	}
	p.registries.use(nil, published(before)) // the engine that makes the lock may go on to the build
	s, err := p.file.Variant(spec.Production)
	if err != nil {
		return after, before, err
	}
	mirrors, err := p.mirrors(s.Debian.Mirror, lock.Lock{Requirements: p.requirements.Lock})
	if err != nil {
		return after, before, err
	}
	after, err = p.resolver().Lock(ctx, resolve.Options{
		Before: before, Upgrade: uv.Upgrade(up), Mirrors: mirrors,
		Getter: p.files(), Hub: p.hub, Layers: p.knownLayers, Store: p.openStore, Engine: p.openEngine, Progress: p.watch(Work{Task: Resolving}),
		Builder: func(ctx context.Context, s spec.Spec, l lock.Lock, from debian.Mirrors, store *blobs.Store) (stages.Input, error) {
			return job{Project: p, on: l.Platform, spec: s, lock: l, store: store}.footing(ctx, from)
		},
		Sources: func(ctx context.Context, platform string, s spec.Spec, store *blobs.Store) (map[string]llb.Layer, error) {
			return job{Project: p, on: platform, spec: s, store: store}.sourceTrees(ctx)
		},
	})
	if err != nil {
		return lock.Lock{}, before, explain(ctx, err)
	}
	p.relocks = true
	return after, before, p.WriteLock(after)
}

// Unpublish removes published models and their layers from the lock: builds then make
// them from the locked files. It returns the references.
func (p *Project) Unpublish() (places []string, err error) {
	l, ok, err := p.ReadLock()
	if err == nil && !ok {
		err = p.noLock()
	}
	if err != nil {
		return nil, err
	}
	for i := range l.Models {
		if m := &l.Models[i]; m.Published != "" {
			places = append(places, m.Published)
		}
		l.Models[i].Published, l.Models[i].Layers = "", nil
	}
	return places, p.WriteLock(l)
}

func (p *Project) noLock() error {
	return failure.WithHint(failure.New(failure.Findings, fmt.Errorf("%s does not exist", p.LockPath())), fmt.Sprintf("run \"build lock %s\" to make it", p.dir))
}

func (p *Project) resolver() resolve.Project {
	return resolve.Project{
		File: p.file, Requirements: p.requirements, Root: p.tree(), Dir: p.dir, CacheDir: p.cacheDir, PythonIndex: p.o.PythonIndex, Env: p.env, Note: p.line,
	}
}

// Locked returns the lock to build from: the one of the directory, which must fit the
// spec, or a new one if there is none.
func (p *Project) Locked(ctx context.Context) (lock.Lock, error) {
	l, ok, err := p.ReadLock()
	if err != nil {
		return l, err
	}
	if ok {
		return l, p.CheckLock(l)
	}
	p.note("%s does not exist yet: locking first", p.LockPath())
	if l, _, err = p.Lock(ctx, Upgrade{}); err == nil {
		p.line(Summary(l))
	}
	return l, err
}
