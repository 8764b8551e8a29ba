package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Endpoint is the default hub.
const Endpoint = "https://huggingface.co"

// Options configures a [Client]. The zero value means huggingface.co, without a
// token.
type Options struct {
	Endpoint string       // of the hub, HF_ENDPOINT; [Endpoint] if empty
	Token    Token        // HF_TOKEN; none if empty
	Note     func(string) // gets news for the user, such as a long wait, from any goroutine; may be nil

	// HTTP configures requests. The defaults retry for longer than elsewhere: six attempts,
	// the second after 500 ms, and half an hour of waits that the hub requests, whose
	// limits reset every five minutes.
	HTTP fetch.Options
}

// Client reads from one hub, and from any other web server. It is safe for
// concurrent use.
type Client struct {
	endpoint *url.URL // its path without a slash at the end
	token    Token
	note     func(string)
	http     *fetch.Client

	// places maps a file's address to the one on another host that it redirects to. The hub
	// counts and limits requests; the host of the bytes doesn't. Such an address expires, and
	// is removed when it has.
	places sync.Map
}

// New returns a client. An endpoint that isn't a web address and a token that can't be
// sent are errors of the kind [failure.Usage].
func New(o Options) (*Client, error) {
	o.Token = Token(strings.TrimSpace(string(o.Token))) // a file with one ends in a newline
	o.Endpoint = cmp.Or(o.Endpoint, Endpoint)
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		err = failure.New(failure.Usage, fmt.Errorf("reading endpoint %q: %w", fetch.Redact(o.Endpoint), err))
		return nil, failure.WithHint(err, "set HF_ENDPOINT to an address such as "+Endpoint)
	}
	if err := o.Token.check(); err != nil {
		return nil, err
	}
	o.HTTP.Attempts = cmp.Or(o.HTTP.Attempts, 6)
	o.HTTP.Wait = cmp.Or(o.HTTP.Wait, 500*time.Millisecond)
	o.HTTP.MaxRetryWait = cmp.Or(o.HTTP.MaxRetryWait, 30*time.Minute)
	if o.HTTP.Transport == nil {
		t := fetch.NewBulkTransport()
		t.ReadBufferSize = 256 << 10
		o.HTTP.Transport = t
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	o.HTTP.Transport = &loginTransport{next: o.HTTP.Transport, endpoint: endpoint, token: o.Token}
	return &Client{endpoint: endpoint, token: o.Token, note: o.Note, http: fetch.New(o.HTTP)}, nil
}

// String names the hub, without the token.
func (c *Client) String() string { return "the hub at " + c.endpoint.String() }

// GoString is String, so that no format prints the token of a client.
func (c *Client) GoString() string { return c.String() }

func parseEndpoint(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("neither http nor https")
	case u.Host == "":
		return nil, errors.New("it has no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has more than a host and a path")
	}
	return u, nil
}

// Token is a secret that authenticates a user to the hub. It prints as stars.
type Token string

// String doesn't return the token.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "***"
}

// GoString doesn't return the token.
func (t Token) GoString() string { return `hub.Token("` + t.String() + `")` }

// MarshalText doesn't return the token, so that JSON and logs have stars, too.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// check refuses a token that no header can hold, without quoting it.
func (t Token) check() error {
	if strings.IndexFunc(string(t), func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
		return nil
	}
	err := failure.New(failure.Usage, errors.New("the token for the hub contains a space or an invalid character"))
	return failure.WithHint(err, "HF_TOKEN is one word, such as hf_abc")
}

// hide removes the token from a text.
func (t Token) hide(text string) string {
	if t == "" {
		return text
	}
	return strings.ReplaceAll(text, string(t), t.String())
}

// loginTransport adds the token to each request for the endpoint's own scheme, host and
// port. It handles every step of a redirect, and requests arrive without the header, so
// nothing has to be removed.
type loginTransport struct {
	next     http.RoundTripper
	endpoint *url.URL
	token    Token
}

// RoundTrip implements [http.RoundTripper].
func (l *loginTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.token != "" && sameHost(r.URL, l.endpoint) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+string(l.token))
	}
	return l.next.RoundTrip(r)
}

// Strays is [fetch.Client.Strays] for an address of the hub.
func (c *Client) Strays(ctx context.Context, address string) error {
	return c.http.Strays(ctx, address)
}

// sameHost compares like a browser's same-origin check.
func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
