package fetch

import (
	"context"
	"net/http"
)

type anonymous struct{}

// Anonymous returns a context whose requests get no login, whatever their host.
func Anonymous(ctx context.Context) context.Context {
	return context.WithValue(ctx, anonymous{}, true)
}

func isAnonymous(ctx context.Context) bool { return ctx.Value(anonymous{}) != nil }

// dress gives a request what every one has: the name of the program, and the
// login for its host and for no other. One that the request brings itself wins,
// as a header or in its address.
func (c *Client) dress(req *http.Request) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header.Set("User-Agent", "lamina")
	}
	user := req.URL.User
	req.URL.User = nil
	if req.Header.Get("Authorization") != "" {
		return
	}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
		return
	}
	if isAnonymous(req.Context()) {
		return
	}
	if name, password, ok := c.opts.Logins(req.URL.Hostname()); ok {
		req.SetBasicAuth(name, password)
	}
}
