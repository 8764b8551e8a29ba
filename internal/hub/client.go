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

// Endpoint is the hub that is asked where nobody names one.
const Endpoint = "https://huggingface.co"

// Options describes a [Client]. Its zero value asks huggingface.co, without a
// token.
type Options struct {
	Endpoint string       // of the hub, HF_ENDPOINT; [Endpoint] where it is empty
	Token    Token        // HF_TOKEN; none where it is empty
	Note     func(string) // is told what the user should know, such as a long wait, by any goroutine; may be nil

	// HTTP is how the client asks. Where its fields are zero it retries for longer
	// than others: six attempts, the second after 500 ms, and half an hour of
	// waiting as the hub asks, whose limits are new every five minutes.
	HTTP fetch.Options
}

// Client reads from one hub, and from any other web server. It may be used
// from many goroutines at once.
type Client struct {
	endpoint *url.URL // its path without a slash at the end
	token    Token
	note     func(string)
	http     *fetch.Client

	// places has the address on another host that a file's own one leads to. The hub
	// counts and limits how often it is asked; where the bytes are, nobody does. Such an
	// address is good for a while, and whoever finds it stale forgets it.
	places sync.Map
}

// New returns a client. It refuses an endpoint that is no web address, and
// tokens that can't be sent, as a [failure.Usage].
func New(o Options) (*Client, error) {
	o.Token = Token(strings.TrimSpace(string(o.Token))) // a file of one ends in a newline
	o.Endpoint = cmp.Or(o.Endpoint, Endpoint)
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		err = failure.New(failure.Usage, fmt.Errorf("reading endpoint %q: %w", fetch.Redact(o.Endpoint), err))
		return nil, failure.WithHint(err, "HF_ENDPOINT is like "+Endpoint)
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

// String names the hub, and never the token.
func (c *Client) String() string { return "the hub at " + c.endpoint.String() }

// GoString is String, so that no way to print a client prints its token.
func (c *Client) GoString() string { return c.String() }

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

// Token is a secret that the hub knows somebody by. It prints as stars.
type Token string

// String is not the token.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "***"
}

// GoString is not the token.
func (t Token) GoString() string { return `hub.Token("` + t.String() + `")` }

// MarshalText is not the token: JSON and logs have stars, too.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// check refuses what no header can hold, without a word of it.
func (t Token) check() error {
	if strings.IndexFunc(string(t), func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
		return nil
	}
	err := failure.New(failure.Usage, errors.New("the token for the hub has a space or a character in it that no token has"))
	return failure.WithHint(err, "HF_TOKEN is one word, such as hf_abc")
}

// hide takes the token out of a text of others.
func (t Token) hide(text string) string {
	if t == "" {
		return text
	}
	return strings.ReplaceAll(text, string(t), t.String())
}

// loginTransport adds the token to each request that goes to the endpoint's
// own scheme, host and port. It sees every step of a redirect, and requests
// come without the header, so that nothing has to be taken away again.
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

// sameHost compares as a browser's same origin does.
func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
