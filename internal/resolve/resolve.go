// Package resolve turns a spec into its whole lock:
//
//	remote models                              (package models)
//	Debian packages                            (package apt)
//	Python packages, once the builder is known (python.go, packages uv and door)
//
// Only this package fetches anything that is not pinned yet. It also decides, for builds
// as well, where Python packages come from and with which login (index.go).
package resolve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/resolve/models"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// Project is a spec in its directory, with the machine's settings for Python packages.
type Project struct {
	File         *spec.File
	Requirements requirements.Requirements // of the file
	Root         fs.FS                     // the directory, of an [os.Root]
	Dir          string                    // its path
	CacheDir     string
	PythonIndex  string // URL of the default index; "" to take it from the environment
	Env          func(name string) string
	Note         func(line string)

	Offline  bool                         // ask indexes only to settle doubts
	Vendored func(lock.Distribution) bool // reports whether the user keeps a copy of the file; nil for none

	etcDir string // "" for /etc
}

// Options configure [Project.Lock].
type Options struct {
	Before  lock.Lock // its Python versions and published places of models stay where they can
	Upgrade uv.Upgrade
	Mirrors debian.Mirrors // of all repositories; Debian's own fall back to the snapshot archive

	Getter *debian.Getter
	Hub    func() (*hub.Client, error)
	Layers func(context.Context, lock.Model) []lock.ModelLayer // of a model; nil where they are unknown
	Store  func(context.Context) (*blobs.Store, error)         // of packed trees
	Engine func(context.Context, engine.Need) (*engine.Engine, error)
	// Builder gathers the inputs for drawing the builder and the runtime that a lock describes.
	// Sources packs the source trees of a variant for a platform, by directory.
	Builder  func(ctx context.Context, s spec.Spec, l lock.Lock, from debian.Mirrors, store *blobs.Store) (stages.Input, error)
	Sources  func(ctx context.Context, platform string, s spec.Spec, store *blobs.Store) (map[string]llb.Layer, error)
	Progress func(context.Context, chan *client.SolveStatus) error // of the engine, while resolving Python packages
}

// Lock resolves the requirements for every platform.
func (p Project) Lock(ctx context.Context, o Options) (lock.Lock, error) {
	from, err := p.indexes()
	if err != nil {
		return lock.Lock{}, err
	}
	if err = p.checkLogins(); err != nil {
		return lock.Lock{}, err
	}
	engines, err := p.engines(ctx, o)
	if err != nil {
		return lock.Lock{}, err
	}
	o.Mirrors = debian.Merge(o.Mirrors, debian.Snapshot(time.Now()))
	weights, err := p.models(ctx, o)
	if err != nil {
		return lock.Lock{}, err
	}
	list := make([]lock.Lock, len(engines))
	for i, platform := range p.Requirements.Platforms {
		one := o
		if before, ok := o.Before.For(platform); ok {
			one.Before = before
		} else if i > 0 {
			one.Before = elsewhere(list[0])
		}
		if list[i], err = p.lock(ctx, one, engines[i], from, platform, weights); err != nil {
			return lock.Lock{}, engines[i].Explain(ctx, p.of(platform, err))
		}
	}
	l := lock.Join(list)
	p.tellUnknown(o.Upgrade, l)
	return l, nil
}

// of adds the platform to an error if there are several.
func (p Project) of(platform string, err error) error {
	if err == nil || len(p.Requirements.Platforms) == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", platform, err)
}

// engines returns an engine for each platform, so that a missing one is reported before
// anything is fetched for another platform.
func (p Project) engines(ctx context.Context, o Options) ([]*engine.Engine, error) {
	engines, problems := make([]*engine.Engine, len(p.Requirements.Platforms)), make([]error, len(p.Requirements.Platforms))
	for i, platform := range p.Requirements.Platforms {
		e, err := o.Engine(ctx, engine.Need{Platform: platform})
		engines[i], problems[i] = e, p.of(platform, err)
	}
	return engines, errors.Join(problems...)
}

// elsewhere returns what a lock contributes to that of another platform: the versions of
// wheels. The build requirements of an sdist are files for one platform.
func elsewhere(l lock.Lock) lock.Lock {
	l.Distributions = slices.DeleteFunc(slices.Clone(l.Distributions), func(d lock.Distribution) bool { return !d.IsWheel() })
	return l
}

// lock resolves the requirements for one platform.
func (p Project) lock(ctx context.Context, o Options, e *engine.Engine, from indexes, platform string, weights []lock.Model) (lock.Lock, error) {
	wanted := p.Requirements.Lock
	wanted.Platform = platform
	if len(p.Requirements.Platforms) > 1 {
		p.Note("locking for " + platform)
	}
	l, err := apt.Lock(ctx, apt.Options{Client: e.Client(), Requirements: wanted, Keys: p.Requirements.Keys, Mirrors: o.Mirrors, Getter: o.Getter, AnyAge: p.Requirements.AnyAge, Progress: p.Note})
	l.Models = weights
	l.Sort()
	if err == nil && len(p.Requirements.Python) > 0 {
		l, err = p.python(ctx, o, e, from, l)
	}
	return l, err
}

// tellUnknown notes the packages to upgrade that the lock doesn't have.
func (p Project) tellUnknown(up uv.Upgrade, l lock.Lock) {
	names := make([]string, len(l.Distributions))
	for i, d := range l.Distributions {
		names[i] = d.Name
	}
	for _, name := range up.Packages {
		if name = lock.NormalName(name); !slices.Contains(names, name) {
			p.Note(fmt.Sprintf("can't upgrade %q: the lock has no such package%s", name, failure.DidYouMean(name, names)))
		}
	}
}

// models locks the files of all remote models.
func (p Project) models(ctx context.Context, o Options) ([]lock.Model, error) {
	if len(p.Requirements.Lock.ModelRequests) == 0 {
		return nil, nil
	}
	c, err := o.Hub()
	if err != nil {
		return nil, err
	}
	return models.Lock(ctx, models.Options{Client: c, Requirements: p.Requirements.Lock, Before: o.Before, Layers: o.Layers, Note: p.Note})
}
