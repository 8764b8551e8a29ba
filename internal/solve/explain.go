package solve

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
)

// Error says which step of a build failed.
type Error struct {
	Step   string // its name in the progress: "smoke: import numpy"
	URL    string // what it fetched, if it is a fetch
	Output string // the end of its output
	Source bool   // it is a source, which other steps work on
	Err    error

	at   string   // the package being installed, where nothing else names it
	asks []string // the debconf questions of the failed package: "PACKAGE QUESTION TYPE"
}

// Error names the step and the cause, with the last line of the output that says why.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Step, e.Err)
	if last := why(e.Output); last != "" && strings.HasPrefix(e.Err.Error(), "exit code") {
		text += ": " + last
	}
	if e.at != "" {
		text += ", while " + e.at + " was installed"
	}
	return text
}

// Unwrap returns BuildKit's own error.
func (e *Error) Unwrap() error { return e.Err }

// explain rewords an error of BuildKit, which would print whole command lines.
func (r *recorder) explain(err error, def *bkllb.Definition) error {
	at, ok := errors.AsType[*errdefs.VertexError](err)
	if !ok && r.silent == "" {
		return err
	}
	id := r.silent
	if id != "" {
		err = errors.New("it printed nothing for too long and was stopped")
		if r.clipped[id] {
			err = errors.New("it printed more than the engine passes on, then went on for too long and was stopped")
		}
	} else {
		id = digest.Digest(at.Digest)
	}
	e := &Error{
		Step:   r.names[id],
		URL:    fetched(def, id),
		Output: strings.TrimRight(r.output(id), "\n"),
		Source: sourceOf(def, id) != nil,
		Err:    cause(err),
	}
	if isNowhere(def, id) {
		e.URL, e.Err = "", &worded{ErrMissing.Error(), errors.Join(ErrMissing, err)}
	}
	if e.Step == "" {
		e.Step = "step " + id.Encoded()[:12]
	}
	if installation.MatchString(e.Step) {
		e.packages()
		if strings.HasPrefix(why(e.Output), "the account of the app: ") { // account.sh: only installed packages tell
			return failure.New(failure.Usage, e)
		}
	}
	return e
}

// cause returns the error of an exec or a source without the command line that BuildKit puts
// in front, wrapping the same chain of errors.
func cause(err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "did not complete successfully: "); ok {
		return &worded{after, err}
	}
	text = strings.TrimPrefix(text, "failed to solve: ")
	return &worded{strings.TrimPrefix(text, "failed to load cache key: "), err}
}

type worded struct {
	text string
	error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.error }

// fetched returns the URL of an HTTP source, and "" for any other step.
func fetched(def *bkllb.Definition, id digest.Digest) string {
	url := sourceOf(def, id).GetIdentifier()
	if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
		return url
	}
	return ""
}

// sourceOf returns the source of a step, nil if the step is not a source.
func sourceOf(def *bkllb.Definition, id digest.Digest) *pb.SourceOp {
	for _, data := range def.Def {
		var op pb.Op
		if digest.FromBytes(data) == id && op.UnmarshalVT(data) == nil {
			return op.GetSource()
		}
	}
	return nil
}

// unreachable matches errors of hosts that did not answer. The engine reports errors of
// registries, caches and repositories only as text.
var unreachable = regexp.MustCompile(
	`connection refused|connection reset by peer|no such host|i/o timeout|TLS handshake timeout|[Nn]etwork is unreachable|[Cc]ould not resolve host|server misbehaving|50[234] (Bad Gateway|Service Unavailable|Gateway Time)` +
		"|(?:Get|Head|Patch|Post|Put) \"https?://.*(?:broken pipe|use of closed network connection|\\bEOF\\b)",
)

// unsecured matches the engine's errors about a registry that uses plain HTTP, whose
// certificate it doesn't trust, or that requires a client certificate. An engine that we
// didn't start reads registries, say for a published model, as its own file configures.
var unsecured = regexp.MustCompile(
	`server gave HTTP response to HTTPS client|failed to verify certificate|remote error: tls: (bad certificate|certificate required)`,
)

const unsecuredHint = "use --insecure-registry, or put its certificates into /etc/docker/certs.d/HOST:PORT; " +
	"what an engine of --addr or BUILDKIT_HOST reads itself needs http = true, or ca and keypair, under [registry.\"HOST:PORT\"] of its buildkitd.toml"

// unknown matches git's errors about a repository that requires a login.
var unknown = regexp.MustCompile(`(?:could not read Username|Authentication failed) for '?https?://(?:[^/@']*@)?([^/']+)`)

// passing marks errors of an engine that could not reach a host as transient. The output of
// an exec doesn't count, since it has no network, nor a failed download, which the caller
// explains better.
func passing(err error) error {
	step, ok := errors.AsType[*Error](err)
	var host []string
	if err != nil {
		host = unknown.FindStringSubmatch(err.Error())
	}
	switch {
	case err == nil || ok && (step.URL != "" || strings.HasPrefix(step.Err.Error(), "exit code")):
		return err
	case host != nil:
		return failure.WithHint(failure.New(failure.Usage, err), fmt.Sprintf("put a login for %s into ~/.netrc; the engine gets it from there", host[1]))
	case unsecured.MatchString(err.Error()):
		return failure.WithHint(failure.New(failure.Usage, err), unsecuredHint)
	case !unreachable.MatchString(err.Error()):
		return err
	}
	return failure.WithHint(failure.New(failure.Transient, err), "check the network and the host name, and try again")
}
