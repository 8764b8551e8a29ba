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

// Hosts are those of a door.
type Hosts struct{ h *hosts }

// NewHosts are those that indexes name.
func NewHosts(indexes ...string) (Hosts, error) {
	var o Options
	for _, i := range indexes {
		o.Indexes = append(o.Indexes, Index{URL: i})
	}
	h, err := newHosts(o)
	return Hosts{h}, err
}

// Connect asks whether a host may be at an address.
func (h Hosts) Connect(at string, a netip.Addr) error { return h.h.connect(at, a) }

// Admit takes what one address says of another.
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
