package door

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// mostHosts is how many hosts pages and redirects may name.
const mostHosts = 4096

// hosts are those that may be asked, each with its port.
type hosts struct {
	mu     sync.Mutex
	known  map[string]*host
	named  int              // of them, by pages and redirects
	denied map[string]error // why others that they name are not among them
}

type host struct {
	isOption bool
	limit    reach // the most private kind of address that it may be on
	at       reach // the one that it was last connected at
}

var errNamed = errors.New("no index, requirement, page or redirect names it")

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
	for _, i := range o.Indexes {
		u, err := url.Parse(i.URL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("reading the address of index %q: not a web address", i.Name)
		}
		h.option(place(u))
	}
	for _, name := range slices.Concat(o.Hosts, o.Known) {
		u, err := url.Parse("//" + name)
		if err != nil || u.Hostname() == "" || u.Host != name {
			return nil, fmt.Errorf("reading host %q: not HOST or HOST:PORT", name)
		}
		for _, scheme := range []string{"http", "https"} {
			u.Scheme = scheme
			h.option(place(u))
		}
	}
	return h, nil
}

// direct are the places of hosts that options name beside the indexes.
func direct(names []string) map[string]bool {
	places := map[string]bool{}
	for _, name := range names {
		for _, scheme := range []string{"http", "https"} {
			if u, err := url.Parse(scheme + "://" + name); err == nil {
				places[place(u)] = true
			}
		}
	}
	return places
}

func (h *hosts) option(at string) {
	name, _, _ := net.SplitHostPort(at)
	own := reachOfName(name)
	h.known[at] = &host{isOption: true, limit: loopback, at: own}
}

// check says why a host may not be asked.
func (h *hosts) check(u *url.URL) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.known[place(u)]
	if !ok {
		return cmp.Or(h.denied[place(u)], errNamed)
	}
	name := hostname(u.Hostname())
	if own := reachOfName(name); own > known.limit {
		return fmt.Errorf("it is %s", own)
	}
	return nil
}

// connect says why a host may not be asked at an address, as it is connected to.
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
		h.denied[place(u)] = err
	}
	return err
}

func (h *hosts) admitted(namer, u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("it is not on the web")
	}
	at, name := place(u), hostname(u.Hostname())
	own := reachOfName(name)
	by, ok := h.known[place(namer)]
	if !ok {
		return errNamed
	}
	if known, ok := h.known[at]; ok && known.isOption {
		return nil
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
	h.known[at] = &host{limit: limit, at: own}
	return nil
}

// ofOptions is how private a host may be that the options name at another port.
func (h *hosts) ofOptions(name string) reach {
	for at, known := range h.known {
		if n, _, _ := net.SplitHostPort(at); n == name && known.isOption {
			return loopback
		}
	}
	return public
}
