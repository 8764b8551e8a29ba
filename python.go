package lamina

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// resolvePython finds the distributions that answer the spec. uv runs in the
// builder, which the Debian half of the lock describes.
func (p *Project) resolvePython(
	ctx context.Context, requests []uv.Request, e *engine.Engine, mirrors debian.Mirrors, x indexes, up Upgrade, l, before lock.Lock,
) (locked lock.Lock, err error) {
	if err = hasPython(l); err != nil {
		return lock.Lock{}, err
	}
	in, store, err := p.builder(ctx, mirrors, l)
	if err != nil {
		return lock.Lock{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logins, _, err := p.pythonLogins()
	if err != nil {
		return lock.Lock{}, err
	}
	logins = logins.Merge(x.logins)
	kept, err := p.keepForPython()
	if err != nil {
		return lock.Lock{}, err
	}
	sockets, err := atomicfile.Folder(kept.sockets)
	if err != nil {
		return lock.Lock{}, fmt.Errorf("making a folder for sockets: %w", err)
	}
	defer func() { err = errors.Join(err, sockets.Close()) }()
	for _, r := range requests {
		for _, note := range r.Files.Notes {
			p.line(note)
		}
	}
	trees, err := p.packSources(ctx, store)
	if err != nil {
		return lock.Lock{}, err
	}
	builder, builderErr := stages.Builder(in)
	runtime, runtimeErr := stages.Runtime(in)
	if err = errors.Join(builderErr, runtimeErr); err != nil {
		return lock.Lock{}, err
	}
	p.note("uv resolves %s%s", setsOf(requests), x.from)
	err = uv.Resolve(ctx, uv.Options{
		Client: e.Client(), Builder: builder, Image: runtime, Store: store, Platform: in.Platform,
		Project: p.root.FS(), Trees: trees, Requests: requests, Indexes: x.Indexes, Before: before, Upgrade: up.python(),
		HTTP: fetch.New(fetch.Options{Logins: logins.For}), Logins: logins,
		Dir: sockets.Name(), CacheID: kept.id, CacheDir: kept.wheels,
		Note: p.line, Progress: p.watch(Resolving),
	}, &l)
	return l, err
}

// keptForPython is what stays on this machine between the locks of a project.
type keptForPython struct {
	id     string // of uv's cache on the engine, random: other projects can't name it
	wheels string // folder of what wheels hold

	sockets string // name of the folder of sockets, which don't stay
}

// longestSockets is how long the path of the folder of sockets may be: systems
// take a hundred bytes for the path of a socket.
const longestSockets = 60

func (p *Project) keepForPython() (kept keptForPython, err error) {
	dir := p.cacheDir
	own, err := filepath.Abs(p.dir)
	if err != nil {
		return kept, fmt.Errorf("finding the project's folder: %w", err)
	}
	kept.wheels, kept.sockets = filepath.Join(dir, "wheels"), filepath.Join(dir, "door")
	if len(kept.sockets) > longestSockets {
		kept.sockets = "/tmp/lamina-door"
	}
	name := filepath.Join(dir, "projects", digest.FromString(own).Encoded()[:32])
	data, err := os.ReadFile(name) //nolint:gosec // in our own cache
	if err == nil && len(data) > 0 {
		kept.id = string(data)
		return kept, nil
	}
	if err = os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return kept, fmt.Errorf("making the cache folder: %w", err)
	}
	kept.id = rand.Text()
	return kept, atomicfile.Write(name, []byte(kept.id), 0o644)
}

// builder prepares what the builder is drawn from, and the store that holds it.
func (p *Project) builder(ctx context.Context, mirrors debian.Mirrors, l lock.Lock) (stages.Input, *blobs.Store, error) {
	s, err := p.file.Variant(spec.Production)
	if err != nil {
		return stages.Input{}, nil, err
	}
	st, err := p.openStore(ctx)
	if err != nil {
		return stages.Input{}, nil, err
	}
	in, err := job{Project: p, spec: s, lock: l, store: st}.footing(ctx, debian.Merge(mirrors, further(l)))
	if err != nil {
		err = errors.Join(err, st.Close())
	}
	return in, st, err
}

// packSources packs the source trees of all variants, by their folders.
func (p *Project) packSources(ctx context.Context, store *blobs.Store) (map[string]llb.Layer, error) {
	trees := map[string]llb.Layer{}
	var faults []error
	for _, name := range p.file.Variants() {
		s, err := p.file.Variant(name)
		if err != nil {
			return nil, err
		}
		// A tree that variants share is packed once.
		s.Python.Sources = slices.DeleteFunc(slices.Clone(s.Python.Sources), func(dir string) bool {
			_, packed := trees[dir]
			return packed
		})
		packed, err := job{Project: p, spec: s, store: store}.packSources(ctx)
		for i, dir := range s.Python.Sources {
			trees[dir] = packed[i].Layer
		}
		faults = append(faults, blame(err))
	}
	return trees, errors.Join(faults...)
}

// pythonRequests words the spec's wishes for the resolver, who has to log in
// wherever they say so.
func (p *Project) pythonRequests() ([]uv.Request, error) {
	wanted, err := p.file.PythonRequests(p.root.FS(), p.env)
	if err != nil {
		return nil, err
	}
	var faults []error
	requests := make([]uv.Request, len(wanted))
	for i, w := range wanted {
		for _, u := range w.Files.Unset {
			faults = append(faults, u.Err)
		}
		requests[i] = uv.Request{
			Set: w.Set, Files: w.Files, Lock: w.Lock, Project: w.Project, ProjectFiles: w.ProjectFiles, Extras: w.Extras, Groups: w.Groups,
			Overrides: w.Overrides, Excludes: w.Excludes, IndexStrategy: w.IndexStrategy, BuildRequires: w.BuildRequires,
			Sources: map[string]string{}, Optional: w.Optional, Collisions: w.Collisions, Prune: w.Prune, Imports: w.Imports, Trees: w.Trees, Places: w.Places,
		}
		if path.Base(w.Lock) == "uv.lock" {
			requests[i].Lock, requests[i].Project = "", path.Dir(w.Lock)
		}
		for _, dir := range w.Sources {
			requests[i].Sources[w.SourceName(dir)] = dir
		}
		for _, x := range w.Indexes {
			requests[i].Indexes = append(requests[i].Indexes, uv.Index(x))
		}
	}
	err = failure.New(failure.Usage, errors.Join(faults...))
	return requests, failure.WithHint(err, "set it to what the index gave you; locking needs it, a build only for what it has to fetch")
}

// hasPython wants a Python in every runtime that Python packages are for.
func hasPython(l lock.Lock) error {
	var faults []error
	for _, r := range l.Python {
		_, variant, _ := strings.Cut(r.Set, "@")
		if _, ok := lock.Find(l.In(lock.SetRuntime, variant), "python3"); !ok && len(r.Lines) > 0 {
			err := fmt.Errorf("%s: the image has no Python to run these packages", r.Set)
			faults = append(faults, failure.WithHint(err, "add python3 to [debian] packages"))
		}
	}
	return failure.New(failure.Usage, errors.Join(faults...))
}

func setsOf(requests []uv.Request) string {
	names := make([]string, len(requests))
	for i, r := range requests {
		names[i] = r.Set
	}
	return strings.Join(names, ", ")
}

// pythonLogins are those of the file that NETRC names, or of ~/.netrc, which
// pip, git and curl read, too, and over them those of the requirement files,
// which take them from the environment. What is not set there is unset: who has
// all wheels already needs no login.
func (p *Project) pythonLogins() (logins uv.Logins, unset []requirements.Unset, err error) {
	path := p.env("NETRC")
	if path == "" {
		path = filepath.Join(p.env("HOME"), ".netrc")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names the path
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, failure.New(failure.Usage, fmt.Errorf("reading logins: %w", err))
	}
	logins = uv.ParseNetrc(data)
	wanted, err := p.file.PythonRequests(p.root.FS(), p.env)
	for _, w := range wanted {
		logins = logins.Merge(w.Files.Logins)
		unset = append(unset, w.Files.Unset...)
	}
	return logins, unset, err
}
