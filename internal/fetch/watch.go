package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

// errStalled says that nothing came for as long as [Options.Stall].
var errStalled = errors.New("the connection stalled")

// watch is a response body that ends with an error when it says nothing for a
// while. The time counts while somebody waits for bytes, and not while they are
// being used.
type watch struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // it lives and ends with the body
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (w *watch) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.body.Read(p)
	w.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.cause(err)
	}
	return n, err
}

func (w *watch) Close() error {
	w.end() // first: over HTTP/1.1 closing reads on, for as long as the server likes
	return w.body.Close()
}

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
