package fetch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// hops is the maximum number of redirects.
const hops = 10

// Get fetches a file. It follows redirects, sending each host only its own login, and never
// from https to http. It resumes an interrupted body. An answer other than 200 is a
// [StatusError]. accept are the accepted media types; any if empty.
func (c *Client) Get(ctx context.Context, address string, accept ...string) (*Body, error) {
	header := http.Header{}
	if len(accept) > 0 {
		header.Set("Accept", strings.Join(accept, ", "))
	}
	resp, err := c.get(ctx, address, header) //nolint:bodyclose // the Body closes it
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusal(resp)
	}
	return c.body(ctx, address, resp), nil
}

// Read fetches a file of at most limit bytes, and returns its header, too.
func (c *Client) Read(ctx context.Context, address string, limit int64) ([]byte, http.Header, error) {
	body, err := c.Get(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &SizeError{URL: Redact(address), Limit: limit}
	}
	if err != nil {
		return nil, nil, err
	}
	return data, body.Header, nil
}

// get requests an address and follows redirects.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("parsing address %s: not a URL", Redact(address))
	}
	req.Header = header
	return c.follow(ctx, req)
}

// follow makes a request and follows redirects.
func (c *Client) follow(ctx context.Context, req *http.Request) (*http.Response, error) {
	var from *url.URL
	each, _ := ctx.Value(hopKey{}).(hop)
	seen := map[string]string{} // the first origin of each host
	for range hops + 1 {
		here, host := ctx, req.URL.Hostname()
		if each != nil {
			var err error
			if here, err = each(ctx, from, req.URL); err != nil {
				return nil, &GuardError{Host: req.URL.Host, Err: err}
			}
		}
		if seen[host] = cmp.Or(seen[host], origin(req.URL)); seen[host] != origin(req.URL) {
			here = Anonymous(here) // logins don't distinguish ports
		}
		from = req.URL
		resp, err := c.Do(here, req)
		if err != nil || !isRedirect(resp) {
			return resp, err
		}
		next := redirected(req, resp.StatusCode)
		if next == nil {
			return resp, nil
		}
		discard(resp)
		if next.URL, err = target(req.URL, resp.Header.Get("Location")); err != nil {
			return nil, err
		}
		if origin(next.URL) != origin(req.URL) {
			next.Header.Del("Authorization") // the request's own
		}
		req = next
	}
	return nil, &RedirectError{From: Redact(req.URL.String()), To: "another address", Reason: fmt.Sprintf("more than %d redirects", hops)}
}

// redirected returns the request to make after a redirect of that status: most turn into
// a GET, two repeat the request (RFC 9110, section 15.4). It is nil if the body can't be
// sent again.
func redirected(req *http.Request, code int) *http.Request {
	next := req.Clone(req.Context())
	next.Host = "" // of the URL: a login belongs to a host
	switch {
	case !hasBody(req) && (req.Method == http.MethodGet || req.Method == http.MethodHead):
	case code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect:
		next.Method, next.Body, next.GetBody, next.ContentLength = http.MethodGet, http.NoBody, nil, 0
	case hasBody(req) && req.GetBody == nil:
		return nil
	}
	return next
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// origin returns the scheme, host and port of an address.
func origin(u *url.URL) string {
	return u.Scheme + "://" + u.Hostname() + ":" + cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// target returns where a redirect leads, without a login that the server may have put
// there. On the same host, the login of from stays.
func target(from *url.URL, location string) (*url.URL, error) {
	refuse := func(reason string) error {
		return &RedirectError{From: Redact(from.String()), To: Redact(location), Reason: reason}
	}
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, refuse("not a URL")
	case to.Scheme != "https" && to.Scheme != "http", to.Host == "":
		return nil, refuse("not a web address")
	case from.Scheme == "https" && to.Scheme == "http":
		return nil, refuse("from https to http")
	case isForbidden(to.Hostname()) && to.Hostname() != from.Hostname():
		return nil, refuse(errForbidden.Error())
	}
	to.User = nil
	if to.Scheme == from.Scheme && to.Host == from.Host {
		to.User = from.User
	}
	return to, nil
}

// refusal returns the error of an answer, and closes it.
func (c *Client) refusal(resp *http.Response) error {
	discard(resp)
	return c.Refusal(resp)
}
