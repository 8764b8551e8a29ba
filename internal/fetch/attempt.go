package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// errStalled means that nothing arrived for [Options.Stall].
var errStalled = errors.New("the connection stalled")

// watch ends an attempt when nothing moves for a while, and is the body of its answer.
// The time counts while we wait for the server: not while the caller uses what arrived,
// nor while the bytes to send come from elsewhere.
type watch struct {
	io.ReadCloser // of the answer

	ctx    context.Context //nolint:containedctx // it lives and ends with the attempt
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
	answer time.Duration // how long the server may take after everything is sent
	sent   *sending      // nil without a body
}

type answerTimeout struct{}

// WithAnswerTimeout returns a context whose requests wait for their answers as long as d, after
// sending everything, instead of [Options.Stall].
func WithAnswerTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerTimeout{}, d)
}

func newWatch(ctx context.Context, stall time.Duration) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	answer, _ := ctx.Value(answerTimeout{}).(time.Duration)
	w := &watch{ctx: ctx, cancel: cancel, stall: stall, answer: max(answer, stall)}
	w.timer = time.AfterFunc(w.answer, func() { cancel(errStalled) })
	return w
}

// send gives a request its own body, if it has one.
func (w *watch) send(req *http.Request) error {
	if !hasBody(req) {
		return nil
	}
	source := req.Body
	if req.GetBody != nil {
		var err error
		if source, err = req.GetBody(); err != nil {
			return err
		}
	}
	w.sent = &sending{source: source, w: w}
	req.Body = w.sent
	return nil
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

func (w *watch) answered(resp *http.Response) {
	if w.sent != nil {
		w.sent.mu.Lock()
		defer w.sent.mu.Unlock()
		w.sent.answered = true
	}
	w.timer.Stop()
	w.ReadCloser, resp.Body = resp.Body, w
}

func (w *watch) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	w.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.cause(err)
	}
	return n, err
}

func (w *watch) Close() error {
	err := w.end() // first: over HTTP/1.1, Close reads on for as long as the server likes
	return errors.Join(err, w.ReadCloser.Close())
}

// end ends the attempt. The caller then owns the sent bytes again.
func (w *watch) end() error {
	w.timer.Stop()
	w.cancel(nil)
	if w.sent == nil {
		return nil
	}
	return w.sent.end()
}

// cause returns why an attempt failed, instead of the connection's error.
func (w *watch) cause(err error) error {
	if w.sent != nil {
		if failed := w.sent.failed.Load(); failed != nil {
			return failed
		}
	}
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}

// sending is the body of one attempt. A transport may still read one after its server
// has answered, or when another attempt has begun: hence each has its own, and none is
// read after the attempt.
type sending struct {
	source io.ReadCloser
	w      *watch
	failed atomic.Pointer[bodyError]

	mu       sync.Mutex // held while the transport reads
	answered bool
	over     bool
}

// bodyError is an error of the caller's body, not of the server.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

var errOver = errors.New("the request is over")

func (s *sending) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, errOver
	}
	if s.answered {
		return s.source.Read(p) // no timeout applies
	}
	s.w.timer.Stop()
	n, err := s.source.Read(p)
	switch {
	case err == nil:
		s.w.timer.Reset(s.w.stall)
	case errors.Is(err, io.EOF):
		s.w.timer.Reset(s.w.answer)
	case !errors.Is(err, errSpent):
		s.failed.Store(&bodyError{err})
	}
	return n, err
}

// Close does nothing: [sending.end] closes.
func (s *sending) Close() error { return nil }

// end waits for a read in progress.
func (s *sending) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	s.over = true
	return s.source.Close()
}

var errSpent = errors.New("it has to be sent again, but part of it was sent already")

// onceBody is a body that can't be reopened once any of it was read.
type onceBody struct {
	io.ReadCloser

	spent atomic.Bool
}

func (b *onceBody) Read(p []byte) (int, error) {
	b.spent.Store(true)
	return b.ReadCloser.Read(p)
}

// Close does nothing: the body may still be needed, and belongs to the caller.
func (b *onceBody) Close() error { return nil }

func (b *onceBody) get() (io.ReadCloser, error) {
	if b.spent.Load() {
		return nil, errSpent
	}
	return b, nil
}

type anonymous struct{}

// Anonymous returns a context whose requests get no login, whatever their host.
func Anonymous(ctx context.Context) context.Context {
	return context.WithValue(ctx, anonymous{}, true)
}

func isAnonymous(ctx context.Context) bool { return ctx.Value(anonymous{}) != nil }

// dress adds what every request has: the name of the program, and the login for its address
// only. A login in the request itself takes precedence, whether in a header or in the
// address.
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
	if name, password, ok := c.opts.Logins(req.URL); ok {
		req.SetBasicAuth(name, password)
	}
}
