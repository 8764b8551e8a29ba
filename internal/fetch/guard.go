package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// GuardError is an address that is forbidden, or that a [Guard] refused.
type GuardError struct {
	Host    string
	Address netip.Addr // of the attempted connection
	Err     error      // from the guard
}

func (e *GuardError) Error() string {
	if !e.Address.IsValid() {
		return fmt.Sprintf("contacting %s: %v", e.Host, e.Err)
	}
	return fmt.Sprintf("connecting to %s at %s: %v", e.Host, e.Address, e.Err)
}

// Unwrap returns the error of the guard.
func (e *GuardError) Unwrap() error { return e.Err }

type guardKey struct{}

type guard struct {
	host  string
	allow func(netip.Addr) error
}

// Guard lets requests under ctx connect to host only if allow accepts the address that its
// name resolves to. It is called when the connection is made, so that a name can't resolve
// to one address for the check and to another for its use. A proxy on the way isn't
// checked. Only the client's own transports support guards.
func Guard(ctx context.Context, host string, allow func(netip.Addr) error) context.Context {
	return context.WithValue(ctx, guardKey{}, guard{host: host, allow: allow})
}

type offlineKey struct{}

// ErrOffline is the error of requests under [Offline].
var ErrOffline = errors.New("network access is disabled")

// Offline returns a context under which no request is made.
func Offline(ctx context.Context) context.Context {
	return context.WithValue(ctx, offlineKey{}, true)
}

type hopKey struct{}

type hop func(ctx context.Context, from, to *url.URL) (context.Context, error)

// Hops makes each request of a file under ctx, including those after redirects, use the
// context that each returns for it. from is nil for the first.
func Hops(ctx context.Context, each func(ctx context.Context, from, to *url.URL) (context.Context, error)) context.Context {
	return context.WithValue(ctx, hopKey{}, hop(each))
}

// IsForbidden reports whether nothing is fetched from an address: link-local ones, where
// clouds serve a machine's credentials, other such addresses, and multicast.
func IsForbidden(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	switch a.String() {
	case "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192":
		return true
	}
	return a.IsLinkLocalUnicast() || a.IsMulticast()
}

// isForbidden reports whether a host is such an address itself.
func isForbidden(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && IsForbidden(a)
}

var errForbidden = errors.New("a link-local or metadata address")

func dialGuarded(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	g, ok := ctx.Value(guardKey{}).(guard)
	if !ok || !strings.EqualFold(host, g.host) {
		g = guard{host: host, allow: func(a netip.Addr) error {
			if IsForbidden(a) && !isForbidden(host) { // else the user typed it
				return errForbidden
			}
			return nil
		}}
	}
	d.ControlContext = g.control
	return d.DialContext(ctx, network, address)
}

func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading address %q: %w", address, err)
	}
	if err := g.allow(at.Addr().Unmap()); err != nil {
		return &GuardError{Host: g.host, Address: at.Addr(), Err: err}
	}
	return nil
}
