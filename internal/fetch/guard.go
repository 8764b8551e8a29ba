package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// GuardError is an address that a [Guard] refused.
type GuardError struct {
	Host    string
	Address netip.Addr
	Err     error // of the guard
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("connecting to %s at %s: %v", e.Host, e.Address, e.Err)
}

// Unwrap returns the error of the guard.
func (e *GuardError) Unwrap() error { return e.Err }

type guardKey struct{}

type guard struct {
	host  string
	allow func(netip.Addr) error
}

// Guard lets requests under ctx connect to host only where allow agrees with
// the address that its name stands for. It is asked when the connection is
// made, so that a name can't stand for one address when it is looked at and for
// another when it is used. A proxy on the way is not host, and not asked about.
// Transports that are not the client's own know no guards.
func Guard(ctx context.Context, host string, allow func(netip.Addr) error) context.Context {
	return context.WithValue(ctx, guardKey{}, guard{host: host, allow: allow})
}

func dialGuarded(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	g, ok := ctx.Value(guardKey{}).(guard)
	host, _, err := net.SplitHostPort(address)
	if ok && err == nil && strings.EqualFold(host, g.host) {
		d.ControlContext = g.control
	}
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
