package hub

import (
	"context"
	"errors"
	"io"
	"time"
)

// watch ends a connection that says nothing for a while. It is the body of its
// answer, too. The time counts while somebody waits for bytes, and not while
// they are being used.
type watch struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // it lives and ends with the body
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

// watch starts to count.
func (c *Client) watch(ctx context.Context, cancel context.CancelCauseFunc) *watch {
	timer := time.AfterFunc(c.opts.Stall, func() { cancel(errStalled) })
	return &watch{ctx: ctx, cancel: cancel, timer: timer, stall: c.opts.Stall}
}

func (w *watch) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.body.Read(p)
	w.pause()
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.cause(err)
	}
	return n, err
}

func (w *watch) Close() error {
	err := w.body.Close()
	w.end()
	return err
}

func (w *watch) pause() { w.timer.Stop() }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// cause puts the stall in place of what it looks like to the connection.
func (w *watch) cause(err error) error {
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}
