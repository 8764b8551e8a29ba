package hub

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"lamina.build/internal/failure"
)

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
