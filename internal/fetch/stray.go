package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Strays requests a file and returns an error if an engine that fetches it would take a
// login for its host along to another origin: net/http, which engines use unchanged,
// compares only names, and treats subdomains as the same host. Our own requests don't do
// that. If nothing answers, the result is unknown, and not an error.
func (c *Client) Strays(ctx context.Context, address string) error {
	var first, stray *url.URL
	left := false // the host, and so the login
	ctx = Hops(ctx, func(ctx context.Context, _, to *url.URL) (context.Context, error) {
		switch {
		case first == nil:
			first = to
		case to.Hostname() != first.Hostname() && !strings.HasSuffix(to.Hostname(), "."+first.Hostname()):
			left = true
		case !left && stray == nil && origin(to) != origin(first):
			stray = to
		}
		return ctx, nil
	})
	resp, err := c.get(ctx, address, http.Header{"Range": {"bytes=0-0"}})
	if err == nil {
		discard(resp)
	}
	refused, ok := errors.AsType[*RedirectError](err)
	switch {
	case stray != nil:
		return &RedirectError{From: Redact(address), To: Redact(stray.String()), Reason: "an engine would send the login along"}
	case ok && !left:
		return refused // an engine might follow where we don't
	}
	return nil
}
