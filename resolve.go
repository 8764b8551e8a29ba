package lamina

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
	"lamina.build/spec"
)

// Upgrade says which Python packages don't keep the versions that they are locked in.
type Upgrade struct {
	All      bool
	Packages []string // names of projects
}

func (u Upgrade) python() uv.Upgrade {
	names := make([]string, len(u.Packages))
	for i, name := range u.Packages {
		names[i] = lock.NormalName(name)
	}
	return uv.Upgrade{All: u.All, Projects: names}
}

// Lock finds the newest packages that answer the spec, and writes the lock. It
// returns the one before as well, which is empty where there was none. A lock that
// can't be read is replaced all the same: that is what its error says to do.
func (p *Project) Lock(ctx context.Context, up Upgrade) (after, before lock.Lock, err error) {
	if err = p.checkPlace(); err != nil {
		return after, before, err
	}
	before, _, unread := p.readBefore()
	if unread != nil {
		p.note("%v: versions of Python packages are not kept", unread)
	}
	if after, err = p.resolve(ctx, up, before); err != nil {
		return lock.Lock{}, before, ended(ctx, err)
	}
	p.tellUnknown(up, after)
	return after, before, p.WriteLock(after)
}

// tellUnknown notes projects that were to be upgraded and that the lock doesn't have.
func (p *Project) tellUnknown(up Upgrade, l lock.Lock) {
	names := make([]string, len(l.Distributions))
	for i, d := range l.Distributions {
		names[i] = d.Name
	}
	for _, name := range up.python().Projects {
		if !slices.Contains(names, name) {
			p.note("%q was to be upgraded, and is none of the packages that are locked%s", name, failure.DidYouMean(name, names))
		}
	}
}

// Locked returns the lock to build from: the one of the folder, which must fit the
// spec, or a new one where there is none.
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

// resolve finds the packages that answer the spec. It is the one thing that
// goes to the network for something that nothing has pinned yet. Of the lock
// before it stays where models are published that have not changed.
func (p *Project) resolve(ctx context.Context, up Upgrade, before lock.Lock) (lock.Lock, error) {
	s, err := p.file.Variant(spec.Production)
	if err != nil {
		return lock.Lock{}, err
	}
	from, err := p.pythonIndexes()
	if err != nil {
		return lock.Lock{}, err
	}
	if err = p.checkLogins(); err != nil {
		return lock.Lock{}, err
	}
	mirrors, err := p.mirrors(s.Debian.Mirror, lock.Lock{})
	if err != nil {
		return lock.Lock{}, err
	}
	e, err := p.openEngine(ctx, engine.Need{Platform: s.Platform})
	if err != nil {
		return lock.Lock{}, err
	}
	mirrors = debian.Merge(mirrors, debian.Snapshot(time.Now()))
	models, err := p.lockModels(ctx, p.wishes.Lock.ModelRequests, before)
	if err != nil {
		return lock.Lock{}, err
	}
	l, err := apt.Lock(ctx, apt.Options{
		Client: e.Client(), Wishes: p.wishes.Lock, Keys: p.wishes.Keys, Mirrors: mirrors,
		CacheDir: filepath.Join(p.cacheDir, filesDir),
		Progress: p.line,
	})
	l.Models = models
	l.Sort()
	if err == nil && len(p.wishes.Python) > 0 {
		l, err = p.resolvePython(ctx, e, mirrors, from, up, l, before)
	}
	return l, e.Explain(ctx, err)
}
