// Package lamina builds lean GPU container images: it turns a directory with an
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
//	Open, New        a directory with an image.toml, or with a spec of package spec in its place, and what jobs may use
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
	"os"

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
	// directory lamina in XDG_CACHE_HOME or ~/.cache of [Options.Env], and without that in
	// that of os.UserCacheDir.
	CacheDir string
	// Env looks up a variable: BUILDKIT_HOST, BUILDX_BUILDER, LAMINA_DEBIAN_MIRROR, LAMINA_PYTHON_INDEX,
	// those of uv and pip, HF_TOKEN, NETRC, DOCKER_CONFIG and REGISTRY_AUTH_FILE, and those
	// that requirement files name.
	// os.Getenv gives it those of the process; the default has none.
	Env func(name string) string
	// Engines are addresses of buildkitds, "unix://…" or "tcp://…": the first that will do is
	// used, and the next where that one is lost. The default is BUILDKIT_HOST, the
	// BUILDX_BUILDER, one that listens on a standard socket, or one of our own, whichever
	// there is first.
	Engines []string
	// Builder is the name of one of docker buildx's builders, in place of Engines.
	Builder string
	// EngineTLS is for Engines at "tcp://…". The default is what BUILDKIT_TLS_CACERT,
	// BUILDKIT_TLS_CERT, BUILDKIT_TLS_KEY and BUILDKIT_TLS_SERVERNAME name.
	EngineTLS TLS
	// EngineConfig is a buildkitd.toml for an engine of our own, in place of the one that it has.
	EngineConfig string
	// DebianMirror is a URL, or name=URL,… for repositories by name.
	DebianMirror string
	// PythonIndex is the URL of the index where nothing names another one.
	PythonIndex string
	// Mirror is a place that [Project.Vendor] has filled, a directory or "oci://REFERENCE": builds
	// take what they fetch from there, as far as it has it.
	Mirror string
	// Offline has nothing come over the network: a build goes by what its engine has in its
	// cache, and by Mirror.
	Offline bool
	// Insecure has registries spoken to by plain HTTP where they speak no TLS, and believed
	// where nobody signed their certificate: those of images, caches and models.
	Insecure bool
	// Models is the directory of the OCI layout that models are taken from. The default is
	// one in the cache directory.
	Models string
	// Progress is told how things go.
	Progress Progress
}

// TLS is how an engine is known, and how it knows us: files of PEM, as buildctl has them.
type TLS struct {
	CACert     string // authorities that may vouch for the engine; "" is those of this machine
	Cert, Key  string // what we are known by to an engine that asks
	ServerName string // that its certificate is for; "" is the host of its address
}

// Progress is told how a job goes on. Its methods are called by many goroutines.
type Progress interface {
	// Note tells one line of news.
	Note(line string)
	// Watch shows an engine's work until the channel is closed. Of work that nobody
	// wants to watch it reads the channel to its end.
	Watch(ctx context.Context, w Work, steps chan *client.SolveStatus) error
}

// Work is what an engine is watched at.
type Work struct {
	Task Task
	// Sizes are the bytes of what steps fetch, as locked, by the names of the steps: an
	// engine tells of a file when it has come.
	Sizes map[string]int64
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
// "type=registry,ref=registry.example/app:cache". All problems are reported at once.
func ParseCache(from, to []string) (cache.Remote, error) {
	var r cache.Remote
	problems := make([]error, 0, len(from)+len(to))
	for _, text := range from {
		e, err := cache.ParseImport(text)
		r.Imports, problems = append(r.Imports, e), append(problems, err)
	}
	for _, text := range to {
		e, err := cache.ParseExport(text)
		r.Exports, problems = append(r.Exports, e), append(problems, err)
	}
	return r, errors.Join(problems...)
}

// Check finds what is wrong with options by themselves, all of it at once. [Open] and
// [New] ask it first.
func (o Options) Check() error {
	_, err := debian.ParseMirrors(o.DebianMirror)
	if err != nil {
		err = fmt.Errorf("flag --debian-mirror: %w", err)
	}
	_, configErr := o.engineConfig()
	return failure.New(failure.Usage, errors.Join(err, resolve.CheckIndex(o.PythonIndex), o.where().Check(), configErr))
}

// where says which engines may be used.
func (o Options) where() engine.Where {
	return engine.Where{Addrs: o.Engines, Builder: o.Builder, TLS: engine.TLS(o.EngineTLS)}
}

// engineConfig reads the configuration of an engine of our own; nil is its usual one.
func (o Options) engineConfig() ([]byte, error) {
	if o.EngineConfig == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.EngineConfig)
	if err == nil {
		err = engine.Options{Config: text}.CheckConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("flag --engine-config: %w", err)
	}
	return text, nil
}
