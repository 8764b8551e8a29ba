package engine

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/moby/buildkit/client"
)

// Kind says where an engine came from.
type Kind string

// The kinds of engine.
const (
	Given   Kind = "given"   // the user named its address
	Found   Kind = "found"   // a standard socket of this machine
	Private Kind = "private" // our own, shared by the builds of this user
)

// Options select an engine and say where a private one lives. The zero value of every
// field but CacheDir is usable.
type Options struct {
	// Where says which engines may be used. If it names none for the platform, Env's
	// BUILDKIT_HOST and then BUILDX_BUILDER apply.
	Where Where
	// Lost are addresses of engines that went away during a build; they are skipped.
	Lost []string
	// PrivateOnly ignores these variables and the standard sockets.
	PrivateOnly bool
	// CacheDir is Lamina's cache directory; the engine's binaries go below it.
	CacheDir string
	// StateDir holds root, lease and log of the private engine. The default is
	// CacheDir/engine. Engines with different state directories are independent.
	StateDir string
	// Env looks up the environment. The default finds nothing.
	Env func(name string) string
	// Progress gets a line for whatever takes long or is unusual.
	Progress func(line string)
	// FetchRunc provides runc if neither runc nor crun is on the PATH.
	FetchRunc func(ctx context.Context) (path string, err error)
	// Need is what the build requires of the engine.
	Need Need
	// Compiled requires a private engine to be compiled already: one that isn't has
	// nothing to inspect.
	Compiled bool
	// Room removes a private engine's ballast until Close, for work that frees space on
	// a disk that may be full.
	Room bool
	// Offline forbids downloads while compiling a private engine.
	Offline bool
	// Config is the private engine's buildkitd.toml. The default is [Config].
	Config []byte
	// Registries configure the registries that it reaches in some other than the usual way.
	Registries []Registry
}

// Need is what a build requires of an engine.
type Need struct {
	// Platform of the image, such as linux/amd64. Empty means any.
	Platform string
	// Disk is how many bytes each step writes below the engine's root. Steps that a
	// private engine is known to have run already don't count, see [Engine.Noted].
	Disk map[string]int64
}

// Bytes returns the sum over all steps.
func (n Need) Bytes() (sum int64) {
	for _, size := range n.Disk {
		sum += min(size, math.MaxInt64-sum)
	}
	return sum
}

func (o Options) withDefaults() Options {
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(o.CacheDir, "engine")
	}
	o.StateDir = realPath(o.StateDir)
	if o.Config == nil {
		o.Config = []byte(config)
	}
	if !o.Where.names(o.Need.Platform) && !o.PrivateOnly {
		if addr := o.Env("BUILDKIT_HOST"); addr != "" {
			o.Where.Addrs = []string{addr}
		} else {
			o.Where.Builder = o.Env("BUILDX_BUILDER")
		}
	}
	if o.Where.TLS == (TLS{}) {
		o.Where.TLS = tlsOf(o.Env)
	}
	return o
}

// Engine is a buildkitd that passed the preflight.
type Engine struct {
	// Kind says where it came from.
	Kind Kind
	// Addr is its address in BuildKit's form.
	Addr string
	// Version is what it reports.
	Version string
	// Snapshotter is how it keeps layers: "overlayfs"; "" if it doesn't say.
	Snapshotter string
	// Same is true if Lamina's digests are promised for that version.
	Same bool

	client *client.Client
	stop   context.CancelFunc // ends what is done besides
	lease  *flock.Flock       // nil unless private
}

// Open returns the engine for a build. The caller closes it.
func Open(ctx context.Context, o Options) (*Engine, error) {
	o = o.withDefaults()
	if list, err := o.Where.addresses(o.Env, o.Need.Platform); err != nil || len(list) > 0 {
		if err != nil {
			return nil, err
		}
		return openGiven(ctx, o, list)
	}
	if o.PrivateOnly {
		return openPrivate(ctx, o)
	}
	if e := findStandard(ctx, o); e != nil {
		return e, nil
	}
	e, err := openPrivate(ctx, o)
	if _, unfit := errors.AsType[*unfitHostError](err); unfit {
		return openCurrent(ctx, o, err)
	}
	return e, err
}

// Local reports whether the engine is reached through a socket of this machine.
func (e *Engine) Local() bool { return e.Kind == Private || strings.HasPrefix(e.Addr, "unix://") }

// Client is the connection to the engine. It is closed with the engine.
func (e *Engine) Client() *client.Client { return e.client }

// Close closes the connection and releases the lease. A private engine ends with its
// last Close, unless [Start] keeps it up; that Close waits for it, so that nothing is
// still running when the command is done.
func (e *Engine) Close() error {
	e.stop()
	err := e.client.Close()
	if e.lease == nil {
		return err
	}
	s := state{dir: filepath.Dir(e.lease.Path())}
	s.ballast()
	err = errors.Join(err, e.lease.Close())
	s.awaitEnd(endTimeout)
	return err
}

// endTimeout is how long the last Close waits. An engine ends within a fraction of a
// second, and doesn't need us to.
const endTimeout = 5 * time.Second

// awaitEnd returns when the engine has ended or has a reason to stay.
func (s state) awaitEnd(timeout time.Duration) {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if alive, err := s.alive(); err != nil || !alive {
			return
		}
		clients, err := s.clients()
		if err != nil || clients > 0 {
			return
		}
		if _, err = os.Stat(s.path(keepFile)); err == nil {
			return
		}
	}
}

// realPath resolves the links in the path of a directory that may not exist yet: BuildKit
// refuses to mount what is not below its root as spelled (executor/oci, v0.34.2).
func realPath(dir string) string {
	rest := ""
	for at := dir; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
