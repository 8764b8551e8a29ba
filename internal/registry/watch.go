package registry

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

var errStalled = errors.New("the connection stalled")

// watcher ends a request once nothing moves.
type watcher struct {
	ctx             context.Context //nolint:containedctx // it lives and ends with the request
	cancel          context.CancelCauseFunc
	timer           *time.Timer
	stall, patience time.Duration
	failed          atomic.Pointer[bodyError]
}

// bodyError is one of whoever has the bytes, and not of the registry.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// watch returns a context that ends when nothing moves for the time of stall,
// or, once all is sent, for the time of patience.
func watch(ctx context.Context, stall, patience time.Duration) (context.Context, *watcher) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watcher{ctx: ctx, cancel: cancel, stall: stall, patience: patience}
	w.timer = time.AfterFunc(patience, func() { cancel(errStalled) })
	return ctx, w
}

func (w *watcher) reset() { w.timer.Reset(w.patience) }

func (w *watcher) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// cause says why a request ended: not that a context did.
func (w *watcher) cause(err error) error {
	if failed := w.failed.Load(); failed != nil {
		return failed
	}
	if cause := context.Cause(w.ctx); cause != nil {
		return cause
	}
	return err
}

// watched is a body whose reads are signs of life of the connection. While it
// waits for the bytes, nobody blames the registry.
func (w *watcher) watched(body io.Reader) io.Reader { return &watchedBody{body, w} }

type watchedBody struct {
	io.Reader

	w *watcher
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.w.timer.Stop()
	n, err := b.Reader.Read(p)
	switch {
	case err == nil:
		b.w.timer.Reset(b.w.stall)
	case errors.Is(err, io.EOF):
		b.w.timer.Reset(b.w.patience)
	default:
		b.w.failed.Store(&bodyError{err})
	}
	return n, err
}
