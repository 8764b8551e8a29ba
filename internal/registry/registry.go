package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Options say how to reach a registry. The zero value of each field stands for
// a sensible default.
type Options struct {
	Keychain authn.Keychain // where logins come from, such as [Logins]; docker's configuration where it is nil
	Hosts    Hosts          // say how the registry is reached
	Insecure bool           // the registry speaks plain HTTP, or nobody signed its certificate
	ReadOnly bool           // nothing is written: the right to pull is asked for, and no other
	Limits   Limits         // those of the registry's host, as of [LimitsOf]
	Finish   time.Duration  // how long a registry may take to put a blob in its place; 10 min

	// HTTP is how the registry is asked. Where its fields are zero it is retried for longer
	// than elsewhere: eight attempts while nothing moves, the second after 500 ms,
	// eight minutes between them in all, and a minute in which a connection takes
	// nothing and says nothing.
	HTTP fetch.Options
}

// Repository is one repository of a registry. Many goroutines may use it.
type Repository struct {
	name   name.Repository
	http   *fetch.Client // without a login
	client *fetch.Client // with the one for the repository
	auth   authn.Authenticator
	opts   Options
	plain  bool // it may speak plain HTTP, as its host's directory says

	mirrors []*Repository // that are read before it
	of      string        // the registry that it mirrors

	chunks atomic.Bool  // a chunk was accepted here once
	piece  atomic.Int64 // the most bytes of a chunk; 0 for any

	mu       sync.Mutex
	mounters map[string]*fetch.Client // by the repository that they mount from
}

// Open reaches the registry of a repository and logs in. A tag or a digest in
// the reference is of no account. What is only read comes from the mirrors that
// Hosts have for the registry, which is asked for what none of them gives.
//
// Errors: a bad reference and a refused login have the kind [failure.Usage], a
// registry that can't be reached [failure.Transient].
func Open(ctx context.Context, reference string, opts Options) (*Repository, error) {
	repo, err := parse(reference, opts.Insecure)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	host, err := opts.Hosts.Of(repo.RegistryStr())
	if err != nil {
		return nil, err
	}
	r, err := opts.reach(repo, host)
	if err != nil {
		return nil, err
	}
	if opts.ReadOnly {
		r.mirrors = opts.mirrors(ctx, repo, host.Mirrors)
	}
	if len(r.mirrors) == 0 {
		if err = r.open(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// open logs in, once.
func (r *Repository) open(ctx context.Context) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		return nil
	}
	if r.auth, err = authn.Resolve(ctx, r.opts.keychain(), r.name); err != nil {
		return failure.New(failure.Usage, fmt.Errorf("finding the login of %q: %w", r.name.RegistryStr(), err))
	}
	scope := transport.PushScope
	if r.opts.ReadOnly {
		scope = transport.PullScope
	}
	for retry := r.Retry(); r.client == nil; {
		client, err := r.login(ctx, r.name.Scope(scope))
		if codeOf(err) != 0 { // one that doesn't answer at all is often a name with a typo
			err = retry.Again(ctx, err)
		}
		if err != nil {
			return r.explain(fmt.Errorf("opening repository %q: %w", r.name.Name(), err))
		}
		r.client = client
	}
	return nil
}

// Check finds what is wrong with a reference to push to, before there is anything to push.
func Check(reference string) error {
	_, err := parse(reference, false)
	return err
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

// keychain is where logins come from.
func (o Options) keychain() authn.Keychain {
	if o.Keychain == nil {
		return authn.DefaultKeychain
	}
	return o.Keychain
}

// reach prepares for a repository, reached as host says, what needs no network.
func (o Options) reach(repo name.Repository, host Host) (_ *Repository, err error) {
	if host.Plain && !o.Insecure {
		if repo.Registry, err = name.NewRegistry(repo.RegistryStr(), name.Insecure); err != nil {
			return nil, failure.New(failure.Usage, err)
		}
	}
	if o.HTTP.Transport == nil {
		secured, err := host.TLS()
		if err != nil {
			return nil, err
		}
		secured.InsecureSkipVerify = secured.InsecureSkipVerify || o.Insecure
		o.HTTP.Transport = NewTransport(secured)
	}
	o = o.complete(repo.RegistryStr())
	r := &Repository{name: repo, opts: o, plain: host.Plain, http: fetch.New(o.HTTP), mounters: map[string]*fetch.Client{}}
	r.piece.Store(o.Limits.Chunk)
	return r, nil
}

// complete fills in the defaults.
func (o Options) complete(host string) Options {
	if o.Limits == (Limits{}) {
		o.Limits = LimitsOf(host)
	}
	o.HTTP.Attempts = cmp.Or(o.HTTP.Attempts, 8)
	o.HTTP.Wait = cmp.Or(o.HTTP.Wait, 500*time.Millisecond)
	o.HTTP.MaxRetryWait = cmp.Or(o.HTTP.MaxRetryWait, 8*time.Minute)
	o.HTTP.Stall = cmp.Or(o.HTTP.Stall, time.Minute)
	o.Finish = cmp.Or(o.Finish, 10*time.Minute)
	return o
}

// login returns a client whose requests have the scopes, as of
// https://distribution.github.io/distribution/spec/auth/scope/.
func (r *Repository) login(ctx context.Context, scopes ...string) (*fetch.Client, error) {
	t, err := transport.NewWithContext(ctx, r.name.Registry, r.auth, r.inner(), scopes)
	if err != nil {
		return nil, lost(ctx, err)
	}
	return r.http.Through(t), nil
}

// inner is what stands below a login.
func (r *Repository) inner() http.RoundTripper {
	return &signedTransport{inner: transport.NewUserAgent(r.http, "lamina"), mayBePlain: r.mayBePlain}
}

// mayBePlain tells whether a host may be asked by plain HTTP.
func (r *Repository) mayBePlain(host string) bool {
	u := url.URL{Host: host}
	return r.opts.Insecure || isLoopback(u.Hostname()) || r.plain && host == r.name.RegistryStr()
}

// Name returns the repository with its host, such as "ghcr.io/acme/model".
func (r *Repository) Name() string { return r.name.Name() }

// Limits returns what is known about the registry.
func (r *Repository) Limits() Limits { return r.opts.Limits }

// Retry counts attempts at something as the repository's client does.
func (r *Repository) Retry() *fetch.Retry { return r.http.Retry("") }

// url returns an address below the repository. The scheme is corrected by the
// transport, which alone knows what the registry speaks.
func (r *Repository) url(path string) string {
	if r.of != "" { // as containerd tells a mirror of many
		path += "?ns=" + url.QueryEscape(r.of)
	}
	return r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + path
}

// NewTransport returns a transport for uploads of gigabytes, whose connections are
// secured as c says. It honours the proxy variables of the environment.
func NewTransport(c *tls.Config) *http.Transport {
	t := fetch.NewBulkTransport()
	// How long a refusal may take that spares us the body. A registry that
	// doesn't know the question costs this once an upload.
	t.ExpectContinueTimeout = 2 * time.Second
	t.WriteBufferSize = 256 << 10
	t.TLSClientConfig = c
	return t
}

var errPlain = errors.New("plain HTTP")

// signedTransport refuses plain HTTP, whoever asks for it: a registry in a
// private network, a token service, a redirect, an upload's location.
type signedTransport struct {
	inner      http.RoundTripper
	mayBePlain func(host string) bool
}

// RoundTrip sends a request that may be sent. A body that a token service sends on to
// another host is a login.
func (t *signedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !t.mayBePlain(req.URL.Host) {
		return nil, failure.New(failure.Usage, fmt.Errorf("%s would be asked over %w", req.URL.Host, errPlain))
	}
	if req.Response != nil && req.ContentLength != 0 {
		if from := req.Response.Request.URL; from.Scheme != req.URL.Scheme || from.Host != req.URL.Host {
			return nil, failure.New(failure.Usage, fmt.Errorf("%s sends a login on to %s", from.Host, req.URL.Host))
		}
	}
	return t.inner.RoundTrip(req)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// locate reads the Location header of an answer that came from one address,
// and keeps it from leading where a registry has no business: into the private
// network of a publisher. Credentials go to the registry's own host only, which
// go-containerregistry sees to; the weights would go wherever this says.
func (r *Repository) locate(location string, from *url.URL) (*url.URL, error) {
	u, err := from.Parse(location)
	switch {
	case location == "":
		return nil, fmt.Errorf("registry %q says no location of the upload", r.name.RegistryStr())
	case err != nil:
		return nil, fmt.Errorf("registry %q says a location that nobody can read", r.name.RegistryStr())
	case r.isHome(u):
		// Registries behind a proxy often take themselves for plain HTTP.
		u.Scheme = from.Scheme
		return u, nil
	case u.Scheme != "https" && u.Scheme != from.Scheme, isPrivate(u.Hostname()):
		return nil, fmt.Errorf("registry %q sends the upload to %q, where it has no business", r.name.RegistryStr(), u.Host)
	}
	return u, nil
}

// isHome tells whether an address is on the registry itself.
func (r *Repository) isHome(u *url.URL) bool { return u.Host == r.name.RegistryStr() }

func isPrivate(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}
