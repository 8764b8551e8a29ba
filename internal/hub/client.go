package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lamina.build/internal/fault"
)

// Endpoint is the hub that is asked where nobody names one.
const Endpoint = "https://huggingface.co"

// Options describes a [Client]. Its zero value asks huggingface.co, without a
// token.
type Options struct {
	Endpoint  string            // of the hub, HF_ENDPOINT; [Endpoint] where it is empty
	Token     Token             // HF_TOKEN; none where it is empty
	Transport http.RoundTripper // one of its own that honours the proxy variables where it is nil
	Note      func(string)      // is told what the user should know, such as a long wait, by any goroutine; may be nil

	Attempts int           // in a row without a single byte; 6
	Wait     time.Duration // before the second attempt, doubled each time up to 30 s; 500 ms
	Patience time.Duration // how long a server may ask to wait; 10 min, twice the window of the hub's limits
	Stall    time.Duration // how long a connection may say nothing; 30 s

	// Sleep waits, and returns an error when ctx ends first; a timer where it is nil.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client reads from one hub, and from any other web server. It may be used
// from many goroutines at once.
type Client struct {
	opts     Options
	endpoint *url.URL // its path without a slash at the end
	http     *http.Client
	places   places
}

// New returns a client. It refuses an endpoint that is no web address, and
// tokens that can't be sent, as a [fault.Usage].
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		err = fault.New(fault.Usage, fmt.Errorf("reading endpoint %q: %w", redact(o.Endpoint), err))
		return nil, fault.WithHint(err, "HF_ENDPOINT is like "+Endpoint)
	}
	if err := o.Token.check(); err != nil {
		return nil, err
	}
	transport := &loginTransport{next: o.Transport, endpoint: endpoint, token: o.Token}
	return &Client{opts: o, endpoint: endpoint, http: &http.Client{Transport: transport}}, nil
}

// String names the hub, and never the token.
func (c *Client) String() string { return "the hub at " + c.endpoint.String() }

// GoString is String, so that no way to print a client prints its token.
func (c *Client) GoString() string { return c.String() }

func (o Options) withDefaults() Options {
	o.Token = Token(strings.TrimSpace(string(o.Token))) // a file of one ends in a newline
	o.Endpoint = cmp.Or(o.Endpoint, Endpoint)
	o.Attempts = cmp.Or(o.Attempts, 6)
	o.Wait = cmp.Or(o.Wait, 500*time.Millisecond)
	o.Patience = cmp.Or(o.Patience, 10*time.Minute)
	o.Stall = cmp.Or(o.Stall, 30*time.Second)
	if o.Transport == nil {
		o.Transport = transport(o.Stall)
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return o
}

// transport is one for files of gigabytes.
func transport(stall time.Duration) *http.Transport {
	// HTTP/1.1 alone: over HTTP/2 all ranges of a download would share one
	// connection, and so one window.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		Protocols:             protocols,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: stall,
		ReadBufferSize:        256 << 10,
		DisableCompression:    true, // else lengths are those of what was compressed on the way
	}
}

func parseEndpoint(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("neither http nor https")
	case u.Host == "":
		return nil, errors.New("no host in it")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("more than a host and a path in it")
	}
	return u, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
