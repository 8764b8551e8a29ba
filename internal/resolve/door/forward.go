package door

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"lamina.build/internal/fetch"
)

// postLimit is the size limit of a request's body. To read, git posts a list of commits.
const postLimit = 16 << 20

// forward answers a request for an address.
func (d *Door) forward(w http.ResponseWriter, r *http.Request, to *url.URL) {
	to = target(to)
	if why := methodRefusal(r.Method, to); why != "" {
		d.refuse(w, r.Method, to, why)
		return
	}
	if err := d.hosts.check(to); err != nil {
		d.refuse(w, r.Method, to, err.Error())
		return
	}
	if why := d.bindings.refusal(to); why != "" {
		d.see(r.Method, to, http.StatusNotFound)
		http.Error(w, why, http.StatusNotFound)
		return
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-r.Context().Done():
		return
	}
	resp, err := d.ask(r, to)
	if err != nil {
		d.failed(w, r, to, err)
		return
	}
	defer resp.Body.Close()
	d.answer(w, r, to, resp)
}

// target returns an address as it is requested outside: without a login or a default port,
// which some servers don't expect.
func target(u *url.URL) *url.URL {
	name, port, _ := net.SplitHostPort(place(u))
	host := net.JoinHostPort(name, port)
	if port == defaultPort(u.Scheme) {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return &url.URL{Scheme: u.Scheme, Host: host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
}

// ask makes the request outside.
func (d *Door) ask(r *http.Request, to *url.URL) (*http.Response, error) {
	ctx := d.hosts.connecting(r.Context(), to)
	if !d.mayLogIn(to) {
		ctx = fetch.Anonymous(ctx)
	}
	body, err := posted(r)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, to.String(), body) //nolint:gosec // hosts.check allows the host, and hosts.connect its address
	if err != nil {
		return nil, errors.New("reading the address: not a URL") // without err, which quotes the address
	}
	req.Header = requestHeader(r.Header)
	d.shape(req)
	return d.client.Do(ctx, req)
}

// mayLogIn reports whether to send the login of a host: for an index, for what its pages
// name, for what is required by its address, and for redirects of these within their own
// origin. Other requests of the exec to such a host are anonymous.
func (d *Door) mayLogIn(to *url.URL) bool {
	at, _ := d.bindings.under(to)
	own, _ := d.own.get(asked(to))
	p, ok := d.files.promised(to)
	return at != nil || ok && !p.led && d.hosts.isSafe(to) || own
}

// shape requests what must be inspected in a form that can be.
func (d *Door) shape(req *http.Request) {
	if _, ok := d.pageAt(req.URL); ok && req.Method == http.MethodGet {
		// A page cached by the exec is unknown here.
		for _, name := range []string{"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"} {
			req.Header.Del(name)
		}
		req.Header.Set("Accept-Encoding", "gzip")
	}
	if _, ok := d.files.promised(req.URL); ok {
		req.Header.Set("Accept-Encoding", "identity")
	}
}

// posted returns the whole body of a request, so that it can be sent again.
func posted(r *http.Request) (io.Reader, error) {
	if r.Method != http.MethodPost {
		return http.NoBody, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, postLimit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the request body: %w", err)
	case len(data) > postLimit:
		return nil, fmt.Errorf("the request body is larger than %d MB", postLimit>>20)
	}
	return bytes.NewReader(data), nil
}

// failed answers a request that got no response outside.
func (d *Door) failed(w http.ResponseWriter, r *http.Request, to *url.URL, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone, or the door closed
	}
	if guarded, ok := errors.AsType[*fetch.GuardError](err); ok {
		d.refuse(w, r.Method, to, guarded.Error())
		return
	}
	d.problem(w, to, fetch.Explain(err))
}

// problem records an error of a host, and reports it to the exec.
func (d *Door) problem(w http.ResponseWriter, to *url.URL, err error) {
	d.record.fail(fetch.Redact(to.String()), fmt.Errorf("asking %s: %w", to.Host, err))
	http.Error(w, strings.Join(strings.Fields(err.Error()), " "), http.StatusBadGateway)
}

// see records a response.
func (d *Door) see(method string, u *url.URL, status int) {
	s := Seen{Method: method, URL: fetch.Redact(u.String()), Status: status}
	if p, ok := d.pageAt(u); ok {
		s.Index = p.index
	} else if promised, ok := d.files.promised(u); ok {
		s.Index = promised.index
	}
	d.record.see(s)
}

// isOver reports whether the client is gone, rather than the response failed.
func isOver(ctx context.Context, err error) bool {
	_, ofClient := errors.AsType[*clientError](err)
	return ofClient || ctx.Err() != nil
}
