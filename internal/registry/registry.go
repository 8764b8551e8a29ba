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

// Options configure how to reach a registry. The zero value of each field is a
// sensible default.
type Options struct {
	Keychain authn.Keychain // source of logins, such as [Logins]; docker's configuration if nil
	Hosts    Hosts          // how to reach registries
	Insecure bool           // the registry uses plain HTTP, or its certificate is not verified
	ReadOnly bool           // only the right to pull is requested
	Limits   Limits         // of the registry's host; [LimitsOf] by default
	Finish   time.Duration  // how long a registry may take to store a blob; 10 min by default

	// HTTP configures requests. The defaults retry for longer than elsewhere: eight
	// attempts without progress, the second after 500 ms, at most eight minutes of
	// waits, and one minute until a connection without traffic counts as stalled.
	HTTP fetch.Options
}

// Repository is one repository of a registry. It is safe for concurrent use.
type Repository struct {
	name   name.Repository
	http   *fetch.Client // without a login
	client *fetch.Client // with the repository's login
	auth   authn.Authenticator
	opts   Options
	plain  bool // plain HTTP is allowed by its host's directory

	mirrors []*Repository // read before it
	of      string        // the registry that this one mirrors

	chunks atomic.Bool  // a chunk was accepted before
	piece  atomic.Int64 // maximum bytes of a chunk; 0 for any

	mu       sync.Mutex
	mounters map[string]*fetch.Client // by the repository that they mount from
}

// Open connects to the registry of a repository and logs in. It ignores a tag or
// digest in the reference. Reads go to the mirrors that Hosts configures for the
// registry, then to the registry for what none of them has.
//
// A bad reference and a refused login are errors of the kind [failure.Usage], an
// unreachable registry [failure.Transient].
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
		return failure.New(failure.Usage, fmt.Errorf("finding the login for %q: %w", r.name.RegistryStr(), err))
	}
	scope := transport.PushScope
	if r.opts.ReadOnly {
		scope = transport.PullScope
	}
	for retry := r.Retry(); r.client == nil; {
		client, err := r.login(ctx, r.name.Scope(scope))
		if codeOf(err) != 0 { // a host that doesn't answer at all is often a typo
			err = retry.Again(ctx, err)
		}
		if err != nil {
			return r.explain(fmt.Errorf("opening repository %q: %w", r.name.Name(), err))
		}
		r.client = client
	}
	return nil
}

// Check validates a reference to push to, before there is anything to push.
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

// keychain returns the source of logins.
func (o Options) keychain() authn.Keychain {
	if o.Keychain == nil {
		return authn.DefaultKeychain
	}
	return o.Keychain
}

// reach prepares access to a repository by way of host, without using the network.
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

// inner returns the transport below a login.
func (r *Repository) inner() http.RoundTripper {
	return &signedTransport{inner: transport.NewUserAgent(r.http, "lamina"), mayBePlain: r.mayBePlain}
}

// mayBePlain reports whether plain HTTP to a host is allowed.
func (r *Repository) mayBePlain(host string) bool {
	u := url.URL{Host: host}
	return r.opts.Insecure || isLoopback(u.Hostname()) || r.plain && host == r.name.RegistryStr()
}

// Name returns the repository with its host, such as "ghcr.io/acme/model".
func (r *Repository) Name() string { return r.name.Name() }

// Limits returns the registry's known limits.
func (r *Repository) Limits() Limits { return r.opts.Limits }

// Retry counts attempts as the repository's client does.
func (r *Repository) Retry() *fetch.Retry { return r.http.Retry("") }

// url returns an address below the repository. The transport corrects the scheme,
// since only it knows the registry's.
func (r *Repository) url(path string) string {
	if r.of != "" { // as containerd names the registry to a mirror of many
		path += "?ns=" + url.QueryEscape(r.of)
	}
	return r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + path
}

// NewTransport returns a transport for uploads of gigabytes, with the TLS configuration c.
// It honours the proxy variables of the environment.
func NewTransport(c *tls.Config) *http.Transport {
	t := fetch.NewBulkTransport()
	// How long to wait for a refusal that saves sending the body. A registry that
	// ignores Expect costs this once per upload.
	t.ExpectContinueTimeout = 2 * time.Second
	t.WriteBufferSize = 256 << 10
	t.TLSClientConfig = c
	return t
}

var errPlain = errors.New("plain HTTP")

// signedTransport refuses plain HTTP wherever it comes from: a registry in a
// private network, a token service, a redirect, an upload's location.
type signedTransport struct {
	inner      http.RoundTripper
	mayBePlain func(host string) bool
}

// RoundTrip sends a request if that is allowed. A body that a token service redirects
// to another host is a login.
func (t *signedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !t.mayBePlain(req.URL.Host) {
		return nil, failure.New(failure.Usage, fmt.Errorf("%s would be contacted over %w", req.URL.Host, errPlain))
	}
	if req.Response != nil && req.ContentLength != 0 {
		if from := req.Response.Request.URL; from.Scheme != req.URL.Scheme || from.Host != req.URL.Host {
			return nil, failure.New(failure.Usage, fmt.Errorf("%s redirects a login to %s", from.Host, req.URL.Host))
		}
	}
	return t.inner.RoundTrip(req)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// locate reads the Location header of an answer that came from one address and
// refuses a location in the publisher's private network. go-containerregistry
// sends credentials only to the registry's own host; the weights would go
// wherever the location points.
func (r *Repository) locate(location string, from *url.URL) (*url.URL, error) {
	u, err := from.Parse(location)
	switch {
	case location == "":
		return nil, fmt.Errorf("registry %q returned no location of the upload", r.name.RegistryStr())
	case err != nil:
		return nil, fmt.Errorf("registry %q returned an invalid location", r.name.RegistryStr())
	case r.isHome(u):
		// Registries behind a proxy often assume that they are reached by plain HTTP.
		u.Scheme = from.Scheme
		return u, nil
	case u.Scheme != "https" && u.Scheme != from.Scheme, isPrivate(u.Hostname()):
		return nil, fmt.Errorf("registry %q redirects the upload to %q, which is insecure or private", r.name.RegistryStr(), u.Host)
	}
	return u, nil
}

// isHome reports whether an address is on the registry itself.
func (r *Repository) isHome(u *url.URL) bool { return u.Host == r.name.RegistryStr() }

func isPrivate(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}
