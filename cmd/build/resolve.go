package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/resolve"
	"lamina.build/internal/spec"
	"lamina.build/lock"
)

// resolve finds the packages that answer the spec. It is the one thing that
// goes to the network for something that nothing has pinned yet. Of the lock
// before it stays where models are published that have not changed.
func (a *app) resolve(ctx context.Context, p *project, o lockOptions, before lock.Lock) (lock.Lock, error) {
	s, err := p.file.Variant(spec.Production)
	if err != nil {
		return lock.Lock{}, err
	}
	if err = a.pythonIndexes(&o); err != nil {
		return lock.Lock{}, err
	}
	requests, err := p.pythonRequests(a.env)
	if err != nil {
		return lock.Lock{}, err
	}
	mirrors, err := a.mirrors(o.mirror, s.Debian.Mirror, lock.Lock{})
	if err != nil {
		return lock.Lock{}, err
	}
	keys, err := p.keys()
	if err != nil {
		return lock.Lock{}, err
	}
	dir, err := a.cacheDir()
	if err != nil {
		return lock.Lock{}, err
	}
	e, err := a.openEngine(ctx, o.addr, engine.Need{Platform: s.Platform})
	if err != nil {
		return lock.Lock{}, err
	}
	mirrors = debian.Merge(mirrors, debian.Snapshot(time.Now()))
	models, err := a.lockModels(ctx, p.wishes.Weights, before)
	if err != nil {
		return lock.Lock{}, err
	}
	l, err := resolve.Lock(ctx, resolve.Options{
		Client: e.Client(), Wishes: p.wishes, Keys: keys, Mirrors: mirrors,
		CacheDir: filepath.Join(dir, filesDir),
		Progress: func(line string) { a.ui.note("%s", line) },
	})
	l.Models = models
	l.Sort()
	if err == nil && len(p.wishes.Python) > 0 {
		l, err = a.resolvePython(ctx, p, requests, e, mirrors, o, l, before)
	}
	return l, e.Explain(ctx, err)
}

// Folders of the cache folder: indexes and packages, and the tools that
// assemble a base.
const (
	filesDir = "files"
	toolsDir = "tools"
)

// keys reads the key files of the further repositories of all variants.
func (p *project) keys() (map[string][]byte, error) {
	keys := map[string][]byte{}
	var faults []error
	for _, name := range p.file.Variants() {
		s, err := p.file.Variant(name)
		if err != nil {
			return nil, err
		}
		for _, r := range s.Debian.Repositories {
			if keys[r.Name] != nil {
				continue
			}
			data, err := fs.ReadFile(p.root.FS(), r.Key)
			if err != nil {
				faults = append(faults, fmt.Errorf("reading the key of repository %q: %w", r.Name, err))
			}
			keys[r.Name] = data
		}
	}
	return keys, fault.New(fault.Usage, errors.Join(faults...))
}
