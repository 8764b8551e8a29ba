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

// mostHosts is how many hosts pages and redirects may name.
const mostHosts = 4096

// hosts are those that may be asked, each with its port.
type hosts struct {
	mu     sync.Mutex
	known  map[string]*host // by origin
	named  int              // of them, by pages and redirects
	denied map[string]error // why others that they name are not among them
}

type host struct {
	name     string
	isOption bool
	limit    reach // the most private kind of address that it may be on
	at       reach // the one that it was last connected at
}

var errNamed = errors.New("no index, requirement, page or redirect names it")

// origin is the scheme of an address, its host and its port.
func origin(u *url.URL) string { return u.Scheme + "://" + place(u) }

// place is a host and its port, in the one spelling of them.
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
		return ascii // as it comes from whoever connects to it
	}
	return name
}

// newHosts are those that the options name.
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

// check says why a host may not be asked.
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

// isSafe says whether a login may go to an address that others name: in the clear it
// does only where the options say so.
func (h *hosts) isSafe(u *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.known[origin(u)]
	return u.Scheme == "https" || known != nil && known.isOption
}

// connect says why an origin may not be asked at an address, as it is connected to.
func (h *hosts) connect(at string, address netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.known[at]
	kind := reachOf(address)
	if !ok || kind > known.limit {
		return fmt.Errorf("%s, which nothing of the same kind leads to", kind)
	}
	known.at = kind
	return nil
}

// admit lets a host be asked that an allowed one names. It says why where it
// doesn't, as check does from then on.
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
		return errors.New("it is not on the web")
	}
	at, name := origin(u), hostname(u.Hostname())
	own := reachOfName(name)
	by, ok := h.known[origin(namer)]
	if !ok {
		return errNamed
	}
	if namer.Scheme == "https" && u.Scheme == "http" {
		return fmt.Errorf("%s, which names it, is asked by https and it by http", namer.Host)
	}
	limit := max(by.at, h.ofOptions(name))
	if own > limit {
		return fmt.Errorf("it is %s, and %s, which names it, is not so private", own, namer.Host)
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

// ofOptions is how private a host may be that the options name, if at another port.
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
	forbidden // whoever names it
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

// reachOfName returns the kind of address that a host says itself that it has.
// That of other names is known when they are connected to.
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

// Guard has what fetch asks for under ctx be asked for where the exec may ask, and
// be led on no further. What is asked for is named by an index; or by the options
// of the door, where that is empty.
func (d *Door) Guard(ctx context.Context, index string) context.Context {
	return d.hosts.guard(ctx, index)
}

// Guard is as that of a door to an index and to nothing else.
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
		_ = h.admit(from, to) // what an option names needs nobody else
		if !h.isSafe(to) {
			ctx = fetch.Anonymous(ctx)
		}
		return h.connecting(ctx, to), h.check(to)
	})
}

// connecting has fetch connect to a host only where that may be.
func (h *hosts) connecting(ctx context.Context, to *url.URL) context.Context {
	return fetch.Guard(ctx, to.Hostname(), func(a netip.Addr) error { return h.connect(origin(to), a) })
}
