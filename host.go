package lamina

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/engine/runc"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/layers"
	"lamina.build/internal/layout/blobs"
	"lamina.build/lock"
)

// host is the machine that jobs run on, as far as their options let them use it.
type host struct {
	o Options

	registries *registries

	cacheDir     string
	engineConfig []byte
	engines      []*engine.Engine // in use until the end
	lost         []string         // addresses of engines that were lost during their work
	stateDir     string           // of our own engine; "" for the default one
}

func newHost(o Options) (*host, error) {
	usual := o.Env == nil
	if usual {
		o.Env = func(string) string { return "" }
	}
	h := &host{o: o, registries: newRegistries(o.Env, usual)}
	var err error
	if h.engineConfig, err = o.engineConfig(); err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	if o.CacheDir != "" {
		h.cacheDir, err = filepath.Abs(o.CacheDir)
		return h, failure.New(failure.Usage, err)
	}
	if usual {
		h.cacheDir, err = os.UserCacheDir()
		h.cacheDir = filepath.Join(h.cacheDir, "lamina")
		return h, failure.New(failure.Usage, err)
	}
	if dir := h.env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		h.cacheDir = filepath.Join(dir, "lamina")
		return h, nil
	}
	if home := h.env("HOME"); filepath.IsAbs(home) {
		h.cacheDir = filepath.Join(home, ".cache", "lamina")
		return h, nil
	}
	err = failure.New(failure.Usage, errors.New(
		"no directory to keep a cache in: neither XDG_CACHE_HOME nor HOME is an absolute path",
	))
	return nil, failure.WithHint(err, "set XDG_CACHE_HOME")
}

// openHost is newHost for options that were not checked.
func openHost(o Options) (*host, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return newHost(o)
}

// CacheRoot returns CacheDir or its default.
func (o Options) CacheRoot() (string, error) {
	h, err := newHost(o)
	if err != nil {
		return "", err
	}
	return h.cacheDir, nil
}

// Directories of the cache directory: indexes and packages, and the tools that
// assemble a base.
const (
	filesDir = "files"
	toolsDir = "tools"
)

func (h *host) env(name string) string { return h.o.Env(name) }

func (h *host) files() *debian.Getter { return debian.NewGetter(filepath.Join(h.cacheDir, filesDir)) }

// reach returns a context for network access, which fails offline.
func (h *host) reach(ctx context.Context) context.Context {
	if h.o.Offline {
		return fetch.Offline(ctx)
	}
	return ctx
}

// note reports progress.
func (h *host) note(format string, args ...any) {
	if h.o.Progress != nil {
		h.o.Progress.Note(fmt.Sprintf(format, args...))
	}
}

// line reports a line verbatim.
func (h *host) line(text string) { h.note("%s", text) }

// watch returns the display of some work.
func (h *host) watch(w Work) func(context.Context, chan *client.SolveStatus) error {
	return func(ctx context.Context, steps chan *client.SolveStatus) error {
		if h.o.Progress != nil {
			return h.o.Progress.Watch(ctx, w, steps)
		}
		for range steps { // not shown
		}
		return nil
	}
}

// openEngine opens the engine and keeps it until the project is closed, so that the
// engine of the lock doesn't stop before the build.
func (h *host) openEngine(ctx context.Context, need engine.Need) (*engine.Engine, error) {
	e, err := engine.Open(ctx, h.engineOptions(need))
	if err == nil {
		h.engines = append(h.engines, e)
	}
	return e, err
}

// close releases the engines.
func (h *host) close() error {
	problems := make([]error, len(h.engines))
	for i, e := range h.engines {
		problems[i] = e.Close()
	}
	return errors.Join(problems...)
}

// engineOptions returns the options common to every use of an engine.
func (h *host) engineOptions(need engine.Need) engine.Options {
	return engine.Options{
		Where: h.o.where(), Lost: h.lost, CacheDir: h.cacheDir, Env: h.env, Progress: h.line, Need: need, FetchRunc: h.fetchRunc, Offline: h.o.Offline,
		Registries: h.engineRegistries(), Config: h.engineConfig,
		StateDir: h.stateDir, PrivateOnly: h.stateDir != "",
	}
}

// fetchRunc fetches runc, the only other program that our own engine requires.
func (h *host) fetchRunc(ctx context.Context) (string, error) {
	mirrors, err := h.mirrors("", lock.Lock{})
	if err != nil {
		return "", err
	}
	return runc.Fetch(ctx, runc.Options{
		Mirrors: debian.Merge(mirrors, debian.Snapshot(time.Now())), CacheDir: h.cacheDir, Arch: runtime.GOARCH,
		Getter: h.files(), Progress: h.line,
	})
}

// mirrors returns the URL of each repository, from the options, else the environment, the
// spec or the apt of this host, else Debian's snapshot archive, the only one that never
// drops a version. Further repositories are at the URL of the spec unless one of these
// names them.
func (h *host) mirrors(spec string, l lock.Lock) (debian.Mirrors, error) {
	ways := make([]debian.Mirrors, 0, 6)
	for _, way := range []struct{ name, text string }{
		{"flag --debian-mirror", h.o.DebianMirror}, {"LAMINA_DEBIAN_MIRROR", h.env("LAMINA_DEBIAN_MIRROR")}, {"mirror of the spec", spec},
	} {
		found, err := debian.ParseMirrors(way.text)
		if err != nil {
			return nil, failure.New(failure.Usage, fmt.Errorf("%s: %w", way.name, err))
		}
		ways = append(ways, found)
	}
	ways = append(ways, debian.HostMirrors(os.DirFS("/")), further(l))
	if created := l.Created(); !created.IsZero() {
		ways = append(ways, debian.Snapshot(created))
	}
	return debian.Merge(ways...), nil
}

// further returns the repositories besides Debian's own, at the URLs of the lock.
func further(l lock.Lock) debian.Mirrors {
	mirrors := debian.Mirrors{}
	for _, r := range l.Repositories {
		mirrors[r.Name] = r.URL
	}
	return mirrors
}

// packedFor is how long an unused packed layer is kept.
const packedFor = 30 * 24 * time.Hour

func (h *host) openStore(ctx context.Context) (*blobs.Store, error) {
	return layers.OpenStore(ctx, filepath.Join(h.cacheDir, "packed"), packedFor)
}
