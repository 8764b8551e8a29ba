package resolve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/resolve/uv"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// python locks the distributions for the spec. uv runs in the builder, which the Debian
// half of the lock describes.
func (p Project) python(
	ctx context.Context, o Options, e *engine.Engine, from indexes, l lock.Lock,
) (locked lock.Lock, err error) {
	if err = hasPython(l); err != nil {
		return lock.Lock{}, err
	}
	in, store, err := p.builder(ctx, o, l)
	if err != nil {
		return lock.Lock{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logins, err := p.logins(ctx, from)
	if err != nil {
		return lock.Lock{}, err
	}
	id, err := p.cacheID()
	if err != nil {
		return lock.Lock{}, err
	}
	dir, err := p.sockets("/tmp")
	if err != nil {
		return lock.Lock{}, err
	}
	sockets, err := atomicfile.Dir(dir, 0o700)
	if err != nil {
		return lock.Lock{}, fmt.Errorf("making a directory for sockets: %w", err)
	}
	defer func() { err = errors.Join(err, sockets.Close()) }()
	sets := make([]string, len(p.Requirements.Python))
	for i, r := range p.Requirements.Python {
		sets[i] = r.Set.String()
		for _, note := range r.Files.Notes {
			p.Note(note)
		}
	}
	trees, err := p.packSources(ctx, o, l.Platform, store)
	if err != nil {
		return lock.Lock{}, err
	}
	builder, builderErr := stages.Builder(in)
	runtime, runtimeErr := stages.Runtime(in)
	if err = errors.Join(builderErr, runtimeErr); err != nil {
		return lock.Lock{}, err
	}
	e.Noted(in.Disk()) // there are no distributions in it yet
	p.Note("uv resolves " + strings.Join(sets, ", ") + from.told)
	err = uv.Resolve(ctx, uv.Options{
		Client: e.Client(), Builder: builder, Image: runtime, Store: store, Platform: in.Platform,
		Project: p.Root, Trees: trees, Requests: p.Requirements.Python, Indexes: from.Indexes, Before: o.Before, Upgrade: o.Upgrade,
		HTTP: fetch.New(fetch.Options{Logins: logins.For}), Logins: logins,
		Dir: sockets.Name(), CacheID: id, CacheDir: filepath.Join(p.CacheDir, "wheels"),
		Note: p.Note, Progress: o.Progress,
	}, &l)
	if err != nil {
		return l, err
	}
	return l, p.witness(logins).Keep(uv.Doubtful(p.Requirements.Python, l, from.Indexes)) // the indexes just confirmed them
}

// longestSockets limits the path of the socket directory: systems allow about a hundred
// bytes for the path of a socket.
const longestSockets = 60

// sockets returns the parent of each run's socket directory: in the cache, or among
// temporary files if that path is too long. There it must belong to the user alone: any
// other owner could replace our socket with theirs.
func (p Project) sockets(temporary string) (string, error) {
	if dir := filepath.Join(p.CacheDir, "door"); len(dir) <= longestSockets {
		return dir, nil
	}
	dir := filepath.Join(temporary, fmt.Sprintf("lamina-door-%d", os.Getuid()))
	if err := atomicfile.Owned(dir); err != nil {
		return "", fmt.Errorf("making a directory for sockets: %w", err)
	}
	return dir, nil
}

// cacheID returns the ID of uv's cache on the engine. It is fixed for the directory of the
// spec, and random, so that other projects can't name it.
func (p Project) cacheID() (string, error) {
	own, err := filepath.Abs(p.Dir)
	if err != nil {
		return "", fmt.Errorf("finding the project's directory: %w", err)
	}
	name := filepath.Join(p.CacheDir, "projects", digest.FromString(own).Encoded()[:32])
	known, err := os.ReadFile(name) //nolint:gosec // in our own cache
	if err == nil && len(known) > 0 {
		return string(known), nil
	}
	if err = os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	id := rand.Text()
	return id, atomicfile.Write(name, []byte(id), 0o644)
}

// builder prepares the inputs of the builder, and the store that holds them.
func (p Project) builder(ctx context.Context, o Options, l lock.Lock) (stages.Input, *blobs.Store, error) {
	s, err := p.File.Variant(spec.Production)
	if err != nil {
		return stages.Input{}, nil, err
	}
	store, err := o.Store(ctx)
	if err != nil {
		return stages.Input{}, nil, err
	}
	in, err := o.Builder(ctx, s, l, o.Mirrors, store)
	if err != nil {
		err = errors.Join(err, store.Close())
	}
	return in, store, err
}

// packSources packs the source trees of all variants, by directory.
func (p Project) packSources(ctx context.Context, o Options, platform string, store *blobs.Store) (map[string]llb.Layer, error) {
	trees := map[string]llb.Layer{}
	var problems []error
	for _, name := range p.File.Variants() {
		s, err := p.File.Variant(name)
		if err != nil {
			return nil, err
		}
		// A tree that variants share is packed once.
		s.Python.Sources = slices.DeleteFunc(slices.Clone(s.Python.Sources), func(dir string) bool {
			_, packed := trees[dir]
			return packed
		})
		packed, err := o.Sources(ctx, platform, s, store)
		maps.Copy(trees, packed)
		problems = append(problems, err)
	}
	return trees, errors.Join(problems...)
}

// checkLogins requires all variables to be set that requirement files take logins from.
func (p Project) checkLogins() error {
	unset := p.unset()
	problems := make([]error, len(unset))
	for i, u := range unset {
		problems[i] = u.Err
	}
	err := failure.New(failure.Usage, errors.Join(problems...))
	return failure.WithHint(err, "set it to the value that the index gave you; a lock requires it, a build only to download files")
}

// hasPython requires python3 in every runtime that has Python packages.
func hasPython(l lock.Lock) error {
	var problems []error
	for _, r := range l.Python {
		if _, ok := lock.Find(l.In(lock.SetRuntime, r.Set.Variant), "python3"); !ok && len(r.Lines) > 0 {
			err := fmt.Errorf("%s: the image has no Python to run these packages", r.Set)
			problems = append(problems, failure.WithHint(err, "add python3 to [debian] packages"))
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}
