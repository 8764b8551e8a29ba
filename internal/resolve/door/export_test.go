package door

import (
	"net/netip"
	"net/url"
)

// ParseHTML is the parser of pages.
var ParseHTML = parseHTML

// PageOf is its inverse.
var PageOf = pageOf

// ReachOf names the kind of an address.
func ReachOf(a netip.Addr) string { return reachOf(a).String() }

// Hosts are the hosts of a door.
type Hosts struct{ h *hosts }

// NewHosts returns the hosts that indexes name.
func NewHosts(indexes ...string) (Hosts, error) {
	var o Options
	for _, i := range indexes {
		o.Indexes = append(o.Indexes, Index{URL: i})
	}
	h, err := newHosts(o)
	return Hosts{h}, err
}

// Connect checks whether a host may have an address.
func (h Hosts) Connect(at string, a netip.Addr) error { return h.h.connect(at, a) }

// Admit admits an address that another one names.
func (h Hosts) Admit(namer, named string) error {
	from, err := url.Parse(namer)
	if err != nil {
		return err
	}
	to, err := url.Parse(named)
	if err != nil {
		return err
	}
	return h.h.admit(from, to)
}
