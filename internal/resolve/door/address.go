package door

import (
	"net/netip"
	"strings"

	"lamina.build/internal/fetch"
)

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
