package fetch

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"lamina.build/internal/failure"
)

// Options describes a [Client]. The zero value of each field is a sensible
// default.
type Options struct {
	// Transport defaults to one that honours the proxy variables, the system's certificate
	// store, and [Guard].
	Transport http.RoundTripper

	Attempts     int           // without progress, in a row; 4
	Wait         time.Duration // before the second attempt, doubled each time; 300 ms
	MaxRetryWait time.Duration // total time that a request waits between its attempts; 60 s
	Stall        time.Duration // how long a connection may be idle while we wait for it; 30 s
	TempDir      string        // for large files of servers without ranges; the system's

	// Logins returns the login for an address.
	Logins func(u *url.URL) (user, password string, ok bool)

	// Sleep waits, and returns an error if ctx ends first; a timer if nil.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	opts  Options
	busy  *busy
	above http.RoundTripper // as of [Client.Through]; nil for none
}

// New returns a client.
func New(o Options) *Client {
	o.Attempts = cmp.Or(o.Attempts, 4)
	o.Wait = cmp.Or(o.Wait, 300*time.Millisecond)
	o.MaxRetryWait = cmp.Or(o.MaxRetryWait, time.Minute)
	o.Stall = cmp.Or(o.Stall, 30*time.Second)
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Logins == nil {
		o.Logins = func(*url.URL) (user, password string, ok bool) { return "", "", false }
	}
	if o.Sleep == nil {
		o.Sleep = failure.Pause
	}
	return &Client{opts: o, busy: &busy{until: map[string]time.Time{}}}
}

// Apart returns a client like c with its own connections, so that none that is already
// open bypasses a [Guard].
func (c *Client) Apart() *Client {
	o := c.opts
	if t, ok := o.Transport.(*http.Transport); ok {
		o.Transport = t.Clone()
	}
	return &Client{opts: o, busy: c.busy, above: c.above}
}

// Through returns a client like c whose requests go through t, which passes them on to
// [Client.RoundTrip] of c: for a login that has to make its own requests.
func (c *Client) Through(t http.RoundTripper) *Client {
	return &Client{opts: c.opts, busy: c.busy, above: t}
}

// NewBulkTransport returns a transport for files of gigabytes. It uses only HTTP/1.1:
// over HTTP/2 all of them would share one connection, and so one window.
func NewBulkTransport() *http.Transport {
	t := NewTransport()
	t.ForceAttemptHTTP2, t.Protocols = false, new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.MaxIdleConnsPerHost = 64
	return t
}

// NewTransport returns the default transport, for modification.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialGuarded,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 50,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 15 * time.Second,
		// Otherwise compressed answers would be decompressed here, and neither
		// lengths nor ranges would fit.
		DisableCompression: true,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			return &ProxyError{Host: proxy.Host, Code: resp.StatusCode}
		},
	}
}
