package lamina

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
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
	"lamina.build/internal/prepare"
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
	ctx context.Context, e *engine.Engine, mirrors debian.Mirrors, x indexes, up Upgrade, l, before lock.Lock,
) (locked lock.Lock, err error) {
	if err = hasPython(l); err != nil {
		return lock.Lock{}, err
	}
	in, store, err := p.builder(ctx, mirrors, l)
	if err != nil {
		return lock.Lock{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logins, err := p.pythonLogins()
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
	for _, r := range p.wishes.Python {
		for _, note := range r.Files.Notes {
			p.line(note)
		}
	}
	trees, err := p.packSources(ctx, store)
	if err != nil {
		return lock.Lock{}, err
	}
	p.note("uv resolves %s%s", setsOf(p.wishes.Python), x.from)
	err = uv.Resolve(ctx, uv.Options{
		Client: e.Client(), Builder: stages.Builder(in), Image: stages.Runtime(in)[0], Store: store, Platform: in.Platform,
		Project: p.root.FS(), Trees: trees, Requests: p.wishes.Python, Indexes: x.Indexes, Before: before, Upgrade: up.python(),
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
	in, err := prepare.Builder(ctx, prepare.Options{
		Root: p.root.FS(), Spec: s, Lock: l, Mirrors: debian.Merge(mirrors, further(l)), Store: st,
		Getter: p.files(), ToolsDir: filepath.Join(p.cacheDir, toolsDir),
	})
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
		packed, err := prepare.Sources(ctx, prepare.Options{Root: p.root.FS(), Spec: s, Store: store})
		maps.Copy(trees, packed)
		faults = append(faults, err)
	}
	return trees, errors.Join(faults...)
}

// checkLogins wants all variables to be set that requirement files take logins from.
func (p *Project) checkLogins() error {
	unset := p.unset()
	faults := make([]error, len(unset))
	for i, u := range unset {
		faults[i] = u.Err
	}
	err := failure.New(failure.Usage, errors.Join(faults...))
	return failure.WithHint(err, "set it to what the index gave you; locking needs it, a build only for what it has to fetch")
}

// unset are the logins whose variables are not set: who has all wheels already needs none.
func (p *Project) unset() (list []requirements.Unset) {
	for _, r := range p.wishes.Python {
		list = append(list, r.Files.Unset...)
	}
	return list
}

// hasPython wants a Python in every runtime that Python packages are for.
func hasPython(l lock.Lock) error {
	var faults []error
	for _, r := range l.Python {
		if _, ok := lock.Find(l.In(lock.SetRuntime, r.Set.Variant), "python3"); !ok && len(r.Lines) > 0 {
			err := fmt.Errorf("%s: the image has no Python to run these packages", r.Set)
			faults = append(faults, failure.WithHint(err, "add python3 to [debian] packages"))
		}
	}
	return failure.New(failure.Usage, errors.Join(faults...))
}

func setsOf(requests []uv.Request) string {
	names := make([]string, len(requests))
	for i, r := range requests {
		names[i] = r.Set.String()
	}
	return strings.Join(names, ", ")
}

// pythonLogins are those of the file that NETRC names, or of ~/.netrc, which
// pip, git and curl read, too, and over them those of the requirement files,
// which take them from the environment.
func (p *Project) pythonLogins() (uv.Logins, error) {
	path := p.env("NETRC")
	if path == "" {
		path = filepath.Join(p.env("HOME"), ".netrc")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names the path
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading logins: %w", err))
	}
	logins := uv.ParseNetrc(data)
	for _, r := range p.wishes.Python {
		logins = logins.Merge(r.Files.Logins)
	}
	return logins, nil
}
