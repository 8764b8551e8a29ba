// Package lamina builds lean GPU container images: it resolves a directory with an
// image.toml to a lock, draws a BuildKit graph from the lock, and has an engine build the
// image. The command build is this package with flags.
//
//	p, err := lamina.Open("examples/faceblend", lamina.Options{Env: os.Getenv})
//	…
//	defer p.Close()
//	made, err := p.Build(ctx, lamina.Build{})
//	fmt.Println(made.Manifest) // the digest, the same on any machine
//
// The steps to an image, each of which can be used by itself:
//
//	Open, New        open a directory with an image.toml, or with a spec of package spec in its place, and what jobs may use
//	Project.Lock     finds the newest packages that satisfy the spec, and writes the lock
//	Project.Locked   returns the existing lock if it fits the spec, or makes the first one
//	Project.Draw     returns the image as a plain value of package stages, to inspect or print
//	Project.Build    has an engine build it, after locking if there is no lock
//	Build.Draw       adds layers of your own, or draws all of the image
//	OpenEngine       finds or starts the buildkitd that builds run on; StartEngine keeps one up
//	Project.Push, Pull, Verify, Models    transfer the weights of a spec once, and hash them
//
// Nothing reads flags, a terminal or a variable unless [Options] say so, except what all
// programs of a machine share: proxies, certificates, apt mirrors and registry logins.
// Canceling a context stops everything cleanly. [KindOf] tells an error of the input from
// one of the engine or the network; [Hints] returns what the user can do about it.
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

// Options are what jobs may use of the machine they run on. The zero value reads no
// variable, keeps its cache in the user's cache directory, finds or starts an engine and
// reports no progress.
type Options struct {
	// CacheDir holds everything that can be fetched or made again. The default is the
	// directory lamina in XDG_CACHE_HOME or ~/.cache of [Options.Env], and without Env in
	// os.UserCacheDir.
	CacheDir string
	// Env looks up a variable: BUILDKIT_HOST, BUILDX_BUILDER, LAMINA_DEBIAN_MIRROR, LAMINA_PYTHON_INDEX,
	// those of uv and pip, HF_TOKEN, NETRC, DOCKER_CONFIG and REGISTRY_AUTH_FILE, and those
	// that requirement files name. os.Getenv reads those of the process; the default has none.
	Env func(name string) string
	// Engines are addresses of buildkitds, "unix://…" or "tcp://…": the first suitable one is
	// used, and the next if it is lost. The default is the first of BUILDKIT_HOST,
	// BUILDX_BUILDER, one that listens on a standard socket, and our own.
	Engines []string
	// Builder is the name of a docker buildx builder, in place of Engines.
	Builder string
	// EngineTLS is for Engines at "tcp://…". The default is what BUILDKIT_TLS_CACERT,
	// BUILDKIT_TLS_CERT, BUILDKIT_TLS_KEY and BUILDKIT_TLS_SERVERNAME name.
	EngineTLS TLS
	// EngineConfig is a buildkitd.toml for our own engine, in place of its default.
	EngineConfig string
	// DebianMirror is a URL, or name=URL,… for repositories by name.
	DebianMirror string
	// PythonIndex is the URL of the index to use if nothing names another one.
	PythonIndex string
	// Mirror is a directory or "oci://REFERENCE" that [Project.Vendor] has filled: builds
	// take from it what they would fetch, as far as it has that.
	Mirror string
	// Offline turns the network off: a build uses only its engine's cache and Mirror.
	Offline bool
	// Insecure allows plain HTTP and untrusted certificates for the registries of images,
	// caches and models.
	Insecure bool
	// Models is the directory of the OCI layout that has the models. The default is one in
	// the cache directory.
	Models string
	// Progress receives the progress of jobs.
	Progress Progress
}

// TLS authenticates an engine and us to it: PEM files, as for buildctl.
type TLS struct {
	CACert     string // authorities that may certify the engine; "" is those of this machine
	Cert, Key  string // the client certificate for an engine that requires one
	ServerName string // that the engine's certificate is for; "" is the host of its address
}

// Progress receives the progress of a job. Many goroutines call its methods.
type Progress interface {
	// Note reports one line.
	Note(line string)
	// Watch shows an engine's work until the channel is closed. It must drain the channel
	// even if it shows nothing.
	Watch(ctx context.Context, w Work, steps chan *client.SolveStatus) error
}

// Work is the work of an engine that is shown.
type Work struct {
	Task Task
	// Sizes are the locked sizes of what steps fetch, in bytes, by the names of the steps:
	// an engine reports a file only once it has it.
	Sizes map[string]int64
}

// Task is the kind of an engine's work.
type Task int

// The tasks: building an image, resolving Python packages, transferring a model.
const (
	Building Task = iota
	Resolving
	Moving
)

// Smoke selects the smoke tests that a build runs.
type Smoke = stages.Level

// Kind is the kind of failure of an error. Its number is the exit code of the command.
type Kind int

// The kinds of failures.
const (
	Failure   = Kind(failure.Failure)   // 1: anything else went wrong
	Usage     = Kind(failure.Usage)     // 2: wrong input: options, spec, an unreadable lock
	Findings  = Kind(failure.Findings)  // 3: a check found something, or a lock doesn't fit its spec
	NoEngine  = Kind(failure.NoEngine)  // 4: there is no engine to build with
	Transient = Kind(failure.Transient) // 75: a retry may help
)

// KindOf returns the kind of an error.
func KindOf(err error) Kind { return Kind(failure.KindOf(err)) }

// Hints returns what the user can do about an error, each hint once.
func Hints(err error) []string { return failure.Hints(err) }

// ParseCache parses the caches that a build imports and exports, in the syntax of docker
// buildx: "type=registry,ref=registry.example/app:cache". It reports all problems at once.
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

// Check reports all problems of the options by themselves. [Open] and [New] call it
// first.
func (o Options) Check() error {
	_, err := debian.ParseMirrors(o.DebianMirror)
	if err != nil {
		err = fmt.Errorf("flag --debian-mirror: %w", err)
	}
	_, configErr := o.engineConfig()
	return failure.New(failure.Usage, errors.Join(err, resolve.CheckIndex(o.PythonIndex), o.where().Check(), configErr))
}

// where returns the engines that may be used.
func (o Options) where() engine.Where {
	return engine.Where{Addrs: o.Engines, Builder: o.Builder, TLS: engine.TLS(o.EngineTLS)}
}

// engineConfig reads the configuration of our own engine; nil is its default.
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
