// Package lamina builds lean GPU container images: it turns a folder with an
// image.toml into a lock, the lock into a BuildKit graph, and has an engine make
// the image of it. The command build is this package with flags.
//
//	p, err := lamina.Open("examples/faceblend", lamina.Options{Env: os.Getenv})
//	…
//	defer p.Close()
//	made, err := p.Build(ctx, lamina.Build{})
//	fmt.Println(made.Manifest) // the digest, the same on any machine
//
// The way of an image, each step of which can be taken alone:
//
//	Open, New        a folder with an image.toml, or with a spec of package spec in its place, and what jobs may use
//	Project.Lock     finds the newest packages that answer the spec, and writes them down
//	Project.Locked   the lock that there is, if it fits the spec, else one that is made
//	Project.Draw     the image as a plain value, of package stages: look at it, print it
//	Project.Build    has an engine make it: locks first where there is no lock
//	Build.Draw       draws it with layers of one's own, or all of it oneself
//	OpenEngine       finds or starts the buildkitd that builds run on; StartEngine keeps one up
//	Project.Push, Pull, Verify, Models    move the weights of a spec once, and hash what is there
//
// Nothing reads flags, a terminal or a variable unless [Options] say so, but for what
// every program of a machine shares: its proxies, certificates, apt mirrors and logins
// of registries. A context ends all of it cleanly. [KindOf] tells an error of the input from one of
// the engine or the network; [Hints] what the user can do about it.
package lamina

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/buildkit/client"

	"lamina.build/cache"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve"
	"lamina.build/stages"
)

// Options say what jobs may use of the machine they run on. The zero value reads
// no variable, keeps its cache where the user's caches are, finds or starts an
// engine and tells nobody how things go.
type Options struct {
	// CacheDir is where everything is kept that can be had again. The default is the
	// folder lamina in XDG_CACHE_HOME or ~/.cache of [Options.Env], and without that in
	// that of os.UserCacheDir.
	CacheDir string
	// Env looks up a variable: BUILDKIT_HOST, LAMINA_DEBIAN_MIRROR, LAMINA_PYTHON_INDEX,
	// those of uv and pip, HF_TOKEN, NETRC, DOCKER_CONFIG and REGISTRY_AUTH_FILE, and those
	// that requirement files name.
	// os.Getenv gives it those of the process; the default has none.
	Env func(name string) string
	// Engine is the address of a buildkitd, "unix://…" or "tcp://…". The default is
	// BUILDKIT_HOST, else one that listens on a standard socket, else one of our own.
	Engine string
	// DebianMirror is a URL, or name=URL,… for repositories by name.
	DebianMirror string
	// PythonIndex is the URL of the index where nothing names another one.
	PythonIndex string
	// Insecure has registries spoken to by plain HTTP where they speak no TLS, and believed
	// where nobody signed their certificate: those of images, caches and models.
	Insecure bool
	// Models is the folder of the OCI layout that models are taken from. The default is
	// one in the cache folder.
	Models string
	// Progress is told how things go.
	Progress Progress
}

// Progress is told how a job goes on. Its methods are called by many goroutines.
type Progress interface {
	// Note tells one line of news.
	Note(line string)
	// Watch shows an engine's work until the channel is closed. Of a task that nobody
	// wants to watch it reads the channel to its end.
	Watch(ctx context.Context, t Task, steps chan *client.SolveStatus) error
}

// Task is what an engine works at.
type Task int

// The tasks: an image, the resolving of Python packages, the moving of a model.
const (
	Building Task = iota
	Resolving
	Moving
)

// Smoke says which smoke tests a build runs.
type Smoke = stages.Level

// Kind is what sort of failure an error is. Its number is the exit code of the command.
type Kind int

// The kinds of failures.
const (
	Failure   = Kind(failure.Failure)   // 1: anything else went wrong
	Usage     = Kind(failure.Usage)     // 2: what was given is wrong: options, spec, an unreadable lock
	Findings  = Kind(failure.Findings)  // 3: a check found something, or a lock does not fit its spec
	NoEngine  = Kind(failure.NoEngine)  // 4: there is no engine to build with
	Transient = Kind(failure.Transient) // 75: it may pass when it is tried again
)

// KindOf returns the kind of an error.
func KindOf(err error) Kind { return Kind(failure.KindOf(err)) }

// Hints are what the user can do about an error, each once.
func Hints(err error) []string { return failure.Hints(err) }

// ParseCache reads which caches a build uses and leaves, in the words of docker buildx:
// "type=registry,ref=registry.example/app:cache". All faults are reported at once.
func ParseCache(from, to []string) (cache.Remote, error) {
	var r cache.Remote
	faults := make([]error, 0, len(from)+len(to))
	for _, text := range from {
		e, err := cache.ParseImport(text)
		r.Imports, faults = append(r.Imports, e), append(faults, err)
	}
	for _, text := range to {
		e, err := cache.ParseExport(text)
		r.Exports, faults = append(r.Exports, e), append(faults, err)
	}
	return r, errors.Join(faults...)
}

// Check finds what is wrong with options by themselves, all of it at once. [Open] and
// [New] ask it first.
func (o Options) Check() error {
	_, err := debian.ParseMirrors(o.DebianMirror)
	if err != nil {
		err = fmt.Errorf("flag --debian-mirror: %w", err)
	}
	return failure.New(failure.Usage, errors.Join(err, resolve.CheckIndex(o.PythonIndex), engine.CheckAddr(o.Engine)))
}
