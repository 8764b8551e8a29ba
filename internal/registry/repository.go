package registry

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"lamina.build/internal/failure"
)

// Options say how to reach a registry. The zero value of each field stands for
// a sensible default.
type Options struct {
	Keychain  authn.Keychain    // where logins come from; docker's configuration and its credential helpers
	Transport http.RoundTripper // [NewTransport]
	Insecure  bool              // the registry speaks plain HTTP, or nobody signed its certificate
	Limits    Limits            // those of the registry's host, as of [LimitsOf]

	Attempts int           // of a request, in all, while nothing moves; 8
	Wait     time.Duration // before the second attempt, doubled each time; 500 ms
	Longest  time.Duration // that a registry may have us wait; 1 min
	Stall    time.Duration // how long a connection may take nothing and say nothing; 1 min
	Finish   time.Duration // how long a registry may take to put a blob in its place; 10 min
}

// Repository is one repository of a registry. Many goroutines may use it.
type Repository struct {
	name   name.Repository
	client *http.Client
	auth   authn.Authenticator
	opts   Options

	chunks atomic.Bool  // a chunk was accepted here once
	piece  atomic.Int64 // the most bytes of a chunk; 0 for any

	mu       sync.Mutex
	mounters map[string]*http.Client // by the repository that they mount from
}

// Open reaches the registry of a repository and logs in. A tag or a digest in
// the reference is of no account.
//
// Errors: a bad reference and a refused login have the kind [failure.Usage], a
// registry that can't be reached [failure.Transient].
func Open(ctx context.Context, reference string, opts Options) (*Repository, error) {
	repo, err := parse(reference, opts.Insecure)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	opts = opts.complete(repo.RegistryStr())
	r := &Repository{name: repo, opts: opts, mounters: map[string]*http.Client{}}
	r.piece.Store(opts.Limits.Chunk)
	if r.auth, err = authn.Resolve(ctx, opts.Keychain, repo); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("finding the login of %q: %w", repo.RegistryStr(), err))
	}
	for p := r.pause(); r.client == nil; {
		if r.client, err = r.login(ctx, repo.Scope(transport.PushScope)); err == nil {
			break
		}
		if isBusy(codeOf(err)) {
			err = p.wait(ctx, nil, err)
		}
		if err != nil {
			return nil, r.explain(fmt.Errorf("opening repository %q: %w", repo.Name(), err))
		}
	}
	return r, nil
}

func parse(reference string, insecure bool) (name.Repository, error) {
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	ref, err := name.ParseReference(reference, opts...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("reading image reference %q: %w", reference, err)
	}
	return ref.Context(), nil
}

// complete fills in the defaults.
func (o Options) complete(host string) Options {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Transport == nil {
		o.Transport = NewTransport(o.Insecure)
	}
	if o.Limits == (Limits{}) {
		o.Limits = LimitsOf(host)
	}
	o.Attempts = cmp.Or(o.Attempts, 8)
	o.Wait = cmp.Or(o.Wait, 500*time.Millisecond)
	o.Longest = cmp.Or(o.Longest, time.Minute)
	o.Stall = cmp.Or(o.Stall, time.Minute)
	o.Finish = cmp.Or(o.Finish, 10*time.Minute)
	return o
}

// login returns a client whose requests have the scopes, as of
// https://distribution.github.io/distribution/spec/auth/scope/.
func (r *Repository) login(ctx context.Context, scopes ...string) (*http.Client, error) {
	inner := &signedTransport{inner: transport.NewUserAgent(r.opts.Transport, "lamina"), insecure: r.opts.Insecure}
	t, err := transport.NewWithContext(ctx, r.name.Registry, r.auth, inner, scopes)
	if err != nil {
		return nil, lost(err)
	}
	return &http.Client{Transport: t}, nil
}

// Name returns the repository with its host, such as "ghcr.io/acme/model".
func (r *Repository) Name() string { return r.name.Name() }

// Limits returns what is known about the registry.
func (r *Repository) Limits() Limits { return r.opts.Limits }

// url returns an address below the repository. The scheme is corrected by the
// transport, which alone knows what the registry speaks.
func (r *Repository) url(path string) string {
	return r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + path
}
