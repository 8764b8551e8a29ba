package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Do makes a request, and retries it as long as that may help: after errors of the
// connection, and when the server is busy or has a problem. It follows no redirect. It
// returns the last answer whatever its status; an error means that there was none. A
// request with a body is retried only if it has GetBody, and the body is no longer read
// once the answer is closed. Reading the body of the answer fails if it stalls.
func (c *Client) Do(ctx context.Context, req *http.Request) (*http.Response, error) {
	r := c.Retry(req.URL.String())
	if left := c.busy.left(r.host); left > 0 {
		if err := c.opts.Sleep(ctx, left); err != nil {
			return nil, r.name(ctx, err)
		}
	}
	isOnce := hasBody(req) && req.GetBody == nil
	if isOnce {
		req = req.Clone(ctx)
		req.GetBody = (&onceBody{ReadCloser: req.Body}).get
	}
	for {
		resp, err := c.ask(req.Clone(ctx))
		if err == nil && IsPassing(resp.StatusCode) {
			err = c.Refusal(resp)
		} else if err == nil || isOnce || ctx.Err() != nil || IsFinal(err) {
			return resp, r.name(ctx, err)
		}
		pause, again := r.next(err)
		switch {
		case resp == nil && !again:
			return nil, r.name(ctx, err)
		case resp != nil && (!again || isOnce):
			return resp, nil
		case resp != nil:
			discard(resp)
		}
		if err := c.opts.Sleep(ctx, pause); err != nil {
			return nil, r.name(ctx, err)
		}
	}
}

// Ask makes a request once, and follows redirects like [Client.Get]. It returns the
// last answer whatever its status. It is for callers that interpret an answer further,
// and so know better what to retry: see [Retry].
func (c *Client) Ask(req *http.Request) (*http.Response, error) {
	once := *c
	once.opts.Attempts = 1
	return once.follow(req.Context(), req)
}

func (c *Client) ask(req *http.Request) (*http.Response, error) {
	if c.above != nil {
		return c.above.RoundTrip(req)
	}
	return c.RoundTrip(req)
}

// RoundTrip implements [http.RoundTripper] with one attempt, for a transport above the
// client: see [Client.Through]. Its errors don't name the address.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Context().Value(offlineKey{}) != nil {
		return nil, &GuardError{Host: req.URL.Hostname(), Err: ErrOffline}
	}
	w := newWatch(req.Context(), c.opts.Stall)
	req = req.Clone(w.ctx)
	if err := w.send(req); err != nil {
		return nil, errors.Join(err, w.end())
	}
	c.dress(req)
	resp, err := c.opts.Transport.RoundTrip(req)
	if err != nil {
		err = w.cause(err)
		return nil, errors.Join(err, w.end())
	}
	w.answered(resp)
	return resp, nil
}

// name adds the address to err. A nil err stays nil.
func (r *Retry) name(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !IsFinal(err):
		return &UnreachableError{URL: r.url, Host: r.host, Attempts: max(r.failed, 1), Err: err}
	}
	if _, ok := errors.AsType[*bodyError](err); ok || r.url == "" {
		return err
	}
	return fmt.Errorf("fetching %s: %w", r.url, err)
}

// discard reads the rest of a short body, so that its connection can be reused, unless
// that is slow.
func discard(resp *http.Response) {
	if 0 <= resp.ContentLength && resp.ContentLength <= 64<<10 {
		slow := time.AfterFunc(time.Second, func() { _ = resp.Body.Close() })
		_, _ = io.Copy(io.Discard, resp.Body)
		slow.Stop()
	}
	_ = resp.Body.Close()
}
