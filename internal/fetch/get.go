package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// hops is how many redirects are followed.
const hops = 10

// Get fetches a file. It follows redirects, with the login of each host for
// that host alone, and never from https to http. The body goes on where it was
// cut. An answer other than 200 is a [StatusError].
func (c *Client) Get(ctx context.Context, address string) (*Body, error) {
	resp, err := c.follow(ctx, address, http.Header{}) //nolint:bodyclose // the Body closes it
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp)
	}
	return c.body(ctx, address, resp), nil
}

// Read fetches a file of at most limit bytes, and the header it came with.
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

// follow asks for an address, and for what its answer leads to.
func (c *Client) follow(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	for range hops + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return nil, fmt.Errorf("reading the address %s: not a URL", Redact(address))
		}
		req.Header = header.Clone()
		resp, err := c.Do(ctx, req)
		if err != nil || !isRedirect(resp) {
			return resp, err
		}
		discard(resp.Body)
		next, err := target(req.URL, resp.Header.Get("Location"))
		if err != nil {
			return nil, err
		}
		address = next.String()
	}
	return nil, &RedirectError{From: Redact(address), To: "another place", Reason: fmt.Sprintf("more than %d redirects", hops)}
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// target is where a redirect leads, without the login that a server may have
// put there. On the same host that of the address stays.
func target(from *url.URL, location string) (*url.URL, error) {
	refuse := func(reason string) error {
		return &RedirectError{From: Redact(from.String()), To: Redact(location), Reason: reason}
	}
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, refuse("not a URL")
	case to.Scheme != "https" && to.Scheme != "http", to.Host == "":
		return nil, refuse("not on the web")
	case from.Scheme == "https" && to.Scheme == "http":
		return nil, refuse("from https to http")
	}
	to.User = nil
	if to.Scheme == from.Scheme && to.Host == from.Host {
		to.User = from.User
	}
	return to, nil
}

// refusal is the error of an answer, which it closes.
func refusal(resp *http.Response) error {
	u := resp.Request.URL
	discard(resp.Body)
	return &StatusError{URL: Redact(u.String()), Host: u.Host, Code: resp.StatusCode}
}
