package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Do makes one request, and again while that may help: after errors of the
// connection, and answers that say that the server is busy or in trouble. It
// follows no redirect. The last answer is returned whatever its status; an
// error means that there was none. A request with a body is made again only
// if it has GetBody. The body of the answer ends with an error once it stalls.
func (c *Client) Do(ctx context.Context, req *http.Request) (*http.Response, error) {
	t := tries{client: c, url: Redact(req.URL.String()), host: req.URL.Host}
	once := req.Body != nil && req.Body != http.NoBody && req.GetBody == nil
	for {
		if left := c.busy.left(t.host); left > 0 {
			if err := c.opts.Sleep(ctx, left); err != nil {
				return nil, t.name(ctx, err)
			}
		}
		resp, err := c.attempt(ctx, req)
		if once || (err == nil && !isPassing(resp.StatusCode)) {
			return resp, t.name(ctx, err)
		}
		if more, waitErr := t.again(ctx, resp, err); waitErr != nil || !more {
			return answerOr(resp, waitErr)
		}
	}
}

// answerOr returns the answer unless there is an error.
func answerOr(resp *http.Response, err error) (*http.Response, error) {
	if err != nil && resp != nil {
		err = errors.Join(err, resp.Body.Close())
		resp = nil
	}
	return resp, err
}

// attempt makes the request once.
func (c *Client) attempt(ctx context.Context, req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{ctx: ctx, cancel: cancel, stall: c.opts.Stall}
	w.timer = time.AfterFunc(w.stall, func() { cancel(errStalled) })
	clone := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			w.end()
			return nil, err
		}
		clone.Body = body
	}
	c.dress(clone)
	resp, err := c.opts.Transport.RoundTrip(clone)
	if err != nil {
		err = w.cause(err)
		w.end()
		return nil, err
	}
	w.timer.Stop()
	w.body, resp.Body = resp.Body, w
	return resp, nil
}

// tries counts the attempts of one request.
type tries struct {
	client *Client
	url    string // for messages
	host   string
	failed int // in a row
	waited time.Duration
}

// again waits after an attempt that failed or whose answer asks to come again.
// It returns false, or an error, if that was the last one. An answer is closed
// only before another attempt.
func (t *tries) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	t.failed++
	wait, asked := t.client.opts.Wait, time.Duration(0)
	switch {
	case err != nil && (ctx.Err() != nil || isFinal(err)):
		return false, t.name(ctx, err)
	case resp != nil:
		wait, asked = waits(resp, wait)
	}
	pause := max(jittered(wait<<min(t.failed-1, 16)), asked)
	if t.failed >= t.client.opts.Attempts || t.waited+pause > t.client.opts.Patience {
		return false, t.name(ctx, err)
	}
	if resp != nil {
		discard(resp)
	}
	t.waited += pause
	if asked > 0 {
		t.client.busy.leave(t.host, pause)
		return true, nil // the next attempt of anybody waits
	}
	if err := t.client.opts.Sleep(ctx, pause); err != nil {
		return false, t.name(ctx, err)
	}
	return true, nil
}

// name says what was being asked for when err came. A nil err stays nil.
func (t *tries) name(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("fetching %s: %w", t.url, context.Cause(ctx))
	case isFinal(err):
		return fmt.Errorf("fetching %s: %w", t.url, err)
	}
	return &UnreachableError{URL: t.url, Host: t.host, Attempts: max(t.failed, 1), Err: err}
}

// discard reads the rest of a short body, so that its connection serves again. One
// that is slow is not worth that.
func discard(resp *http.Response) {
	if 0 <= resp.ContentLength && resp.ContentLength <= 64<<10 {
		slow := time.AfterFunc(time.Second, func() { _ = resp.Body.Close() })
		_, _ = io.Copy(io.Discard, resp.Body)
		slow.Stop()
	}
	_ = resp.Body.Close()
}
