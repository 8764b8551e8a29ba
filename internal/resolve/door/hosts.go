package door

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"

	"lamina.build/internal/fetch"
)

// mostHosts limits the hosts that pages and redirects name.
const mostHosts = 4096

// hosts are the allowed hosts, each with its port.
type hosts struct {
	mu     sync.Mutex
	known  map[string]*host // by origin
	named  int              // how many of them pages and redirects named
	denied map[string]error // why others that they named are not allowed
}

type host struct {
	name     string
	isOption bool
	limit    reach // the most private kind of address that it may have
	at       reach // the kind of address of its last connection
}

var errNamed = errors.New("no index, requirement, page or redirect names it")

// origin returns the scheme, host and port of an address.
func origin(u *url.URL) string { return u.Scheme + "://" + place(u) }

// place returns the canonical host:port of an address.
func place(u *url.URL) string {
	return net.JoinHostPort(hostname(u.Hostname()), cmp.Or(u.Port(), defaultPort(u.Scheme)))
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

func hostname(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Unmap().String()
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii // as clients request it
	}
	return name
}

// newHosts returns the hosts that the options name.
func newHosts(o Options) (*hosts, error) {
	h := &hosts{known: map[string]*host{}, denied: map[string]error{}}
	direct := slices.Clone(o.Direct)
	for _, i := range o.Indexes {
		direct = append(direct, i.URL)
	}
	for _, list := range []struct {
		addresses []string
		limit     reach
	}{{direct, loopback}, {o.Known, private}, {o.Named, public}} {
		for _, address := range list.addresses {
			u, err := url.Parse(address)
			if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
				return nil, fmt.Errorf("reading the address %s: not a web address", fetch.Redact(address))
			}
			if name := hostname(u.Hostname()); h.known[origin(u)] == nil {
				limit := max(list.limit, h.ofOptions(name))
				h.known[origin(u)] = &host{name: name, isOption: list.limit == loopback, limit: limit, at: reachOfName(name)}
			}
		}
	}
	return h, nil
}

// check returns why a host is not allowed, or nil.
func (h *hosts) check(u *url.URL) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.known[origin(u)]
	if !ok {
		return cmp.Or(h.denied[origin(u)], errNamed)
	}
	if own := reachOfName(known.name); own > known.limit {
		return fmt.Errorf("it is %s", own)
	}
	return nil
}

// isSafe reports whether a login may be sent to an address that others name: in the clear
// only if the options name the host.
func (h *hosts) isSafe(u *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.known[origin(u)]
	return u.Scheme == "https" || known != nil && known.isOption
}

// connect returns why connecting to an origin at an IP address is not allowed, or nil.
func (h *hosts) connect(at string, address netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.known[at]
	kind := reachOf(address)
	if !ok || kind > known.limit {
		return fmt.Errorf("%s, and nothing as private names this host", kind)
	}
	known.at = kind
	return nil
}

// admit allows a host that an allowed one names, or returns why not, as check does from
// then on.
func (h *hosts) admit(namer, u *url.URL) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.admitted(namer, u)
	if err != nil && len(h.denied) < mostHosts {
		h.denied[origin(u)] = err
	}
	return err
}

func (h *hosts) admitted(namer, u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("not a web address")
	}
	at, name := origin(u), hostname(u.Hostname())
	own := reachOfName(name)
	by, ok := h.known[origin(namer)]
	if !ok {
		return errNamed
	}
	if namer.Scheme == "https" && u.Scheme == "http" {
		return fmt.Errorf("%s, which names it, uses https, but it uses http", namer.Host)
	}
	limit := max(by.at, h.ofOptions(name))
	if own > limit {
		return fmt.Errorf("it is %s, and %s, which names it, is less private", own, namer.Host)
	}
	if known, ok := h.known[at]; ok {
		known.limit = max(known.limit, limit)
		return nil
	}
	if h.named >= mostHosts {
		return fmt.Errorf("pages and redirects name more than %d hosts", mostHosts)
	}
	h.named++
	h.known[at] = &host{name: name, limit: limit, at: own}
	return nil
}

// ofOptions returns how private a host may be if the options name it, even at another port.
func (h *hosts) ofOptions(name string) reach {
	for _, known := range h.known {
		if known.name == name && known.isOption {
			return loopback
		}
	}
	return public
}

// reach is how private a kind of address is.
type reach int

const (
	public reach = iota
	private
	loopback
	forbidden // for everyone
)

func (r reach) String() string {
	return [...]string{"a public", "a private", "a loopback", "a link-local or metadata"}[r] + " address"
}

// reachOf returns the kind of an address.
func reachOf(a netip.Addr) reach {
	a = a.Unmap().WithZone("")
	switch {
	case fetch.IsForbidden(a):
		return forbidden
	case a.IsLoopback(), a.IsUnspecified(): // connecting to 0.0.0.0 leads to the loopback
		return loopback
	case a.IsPrivate(), netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		return private
	}
	return public
}

// reachOfName returns the kind of address that the name of a host reveals. For other names
// it is known only once they are connected to.
func reachOfName(host string) reach {
	if a, err := netip.ParseAddr(host); err == nil {
		return reachOf(a)
	}
	switch {
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return loopback
	case host == "metadata" || host == "metadata.google.internal" || host == "instance-data":
		return forbidden
	}
	return public
}

// Guard restricts requests that fetch makes under ctx, and their redirects, to the hosts
// that the exec may ask. index names the requested address; if it is "", the options of
// the door do.
func (d *Door) Guard(ctx context.Context, index string) context.Context {
	return d.hosts.guard(ctx, index)
}

// Guard is like [Door.Guard] of a door that only has one index.
func Guard(ctx context.Context, index string) (context.Context, error) {
	h, err := newHosts(Options{Indexes: []Index{{URL: index}}})
	if err != nil {
		return nil, err
	}
	return h.guard(ctx, index), nil
}

func (h *hosts) guard(ctx context.Context, index string) context.Context {
	return fetch.Hops(ctx, func(ctx context.Context, from, to *url.URL) (context.Context, error) {
		if by, err := url.Parse(index); from == nil && err == nil {
			from = by
		}
		_ = h.admit(from, to) // hosts of the options need no admission
		if !h.isSafe(to) {
			ctx = fetch.Anonymous(ctx)
		}
		return h.connecting(ctx, to), h.check(to)
	})
}

// connecting has fetch connect to a host only at allowed addresses.
func (h *hosts) connecting(ctx context.Context, to *url.URL) context.Context {
	return fetch.Guard(ctx, to.Hostname(), func(a netip.Addr) error { return h.connect(origin(to), a) })
}
