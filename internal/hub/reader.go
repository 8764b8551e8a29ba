package hub

import (
	"context"
	"errors"
	"io"
)

// Reader opens a part of a file as [Client.Open] does, and goes on where it was
// when a connection is cut or stalls, when the server is busy or in trouble, and
// when the address of a file's bytes is no longer good. It waits as the server
// asks, gives up after [Options.Attempts] in a row that bring nothing, and then
// returns an [UnreachableError].
func (c *Client) Reader(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, client: c, file: f, offset: offset, left: length, patience: c.patience(f.URL)}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// Steady is the client as a [Source] that is read by [Client.Reader].
func (c *Client) Steady() Source { return steady{c} }

type steady struct{ *Client }

func (s steady) Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	return s.Reader(ctx, f, offset, length)
}

type reader struct {
	ctx      context.Context //nolint:containedctx // that of the file being read, as its body's would be
	client   *Client
	file     File
	offset   int64
	left     int64
	body     io.ReadCloser // nil once it failed
	patience *patience
}

func (r *reader) open() error {
	return r.patience.try(r.ctx, func() (err error) {
		r.body, err = r.client.Open(r.ctx, r.file, r.offset, r.left)
		return err
	})
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.read(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// read reads from the connection there is. No bytes and no error mean that
// there is none anymore.
func (r *reader) read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if n > 0 {
		r.patience.progress()
		r.offset += int64(n)
		r.left -= int64(n)
	}
	if err == nil || r.left == 0 {
		return n, nil
	}
	failed := errors.Join(err, r.Close())
	if n > 0 {
		return n, nil
	}
	return 0, r.patience.again(r.ctx, failed)
}

func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
