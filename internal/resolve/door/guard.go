package door

import (
	"context"
	"net/netip"
	"net/url"

	"lamina.build/internal/fetch"
)

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
