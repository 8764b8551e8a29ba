package hub

import (
	"context"
	"io"

	"lamina.build/internal/fetch"
)

// Reader opens a part of a file as [Client.Open] does, and goes on where it was
// when a connection is cut or stalls, when the server is busy or in trouble, and
// when the address of a file's bytes is no longer good. It waits as the server
// asks, and gives up with a [fetch.UnreachableError] after as many attempts in a
// row that bring nothing as [Options] allow.
func (c *Client) Reader(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	return c.patience(f.URL).Reader(ctx, offset, length, func(offset, length int64) (io.ReadCloser, error) {
		return c.Open(ctx, f, offset, length)
	})
}

// patience counts the attempts for an address.
func (c *Client) patience(address string) *fetch.Retry {
	r := c.http.Retry(address)
	r.Note = c.note
	return r
}

// Steady is the client as a [Source] that is read by [Client.Reader].
func (c *Client) Steady() Source { return steady{c} }

type steady struct{ *Client }

func (s steady) Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	return s.Reader(ctx, f, offset, length)
}
