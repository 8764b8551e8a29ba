package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"lamina.build/internal/fetch"
)

// File is a file of a model.
type File struct {
	Path   string // below the repository or the list, with slashes
	URL    string // where it is to be had
	Size   int64  // in bytes
	SHA256 string // 64 lower-case hexadecimal digits; empty where [Client.Lock] has yet to find out
	GitOID string // what git calls it: 40 digits; of files in git itself alone, and empty in lists
}

// Source has the bytes of files.
type Source interface {
	// Open reads length bytes of a file from an offset on. The reader yields
	// exactly as many, or an error.
	Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error)
}

// Open implements [Source] by one request, to the hub or past it to where the
// hub said that the file is. Nothing is tried again but that place, once it is
// stale; see [Client.Reader].
//
// The answer has to be the range that was asked for, of a file of the size that
// f has: else the error is an [AnswerError] or a [fetch.MismatchError]. A refusal is
// a [RefusedError]. Content isn't compared with hashes.
func (c *Client) Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 || offset > f.Size-length {
		return nil, fmt.Errorf("reading %q: it has no %d bytes at %d, but %d in all", f.Path, length, offset, f.Size)
	}
	if length == 0 {
		return http.NoBody, nil
	}
	s := span{file: f, offset: offset, length: length}
	place := c.places.of(f.URL)
	body, err := c.openAt(ctx, s, place)
	if err == nil || place == "" {
		return body, err
	}
	c.places.forget(f.URL, place)
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reason == Expired {
		return c.openAt(ctx, s, "")
	}
	return nil, err
}

// openAt asks at a place, or at the file's own address where there is none.
func (c *Client) openAt(ctx context.Context, s span, place string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{url: s.file.URL, at: place, span: s.header()})
	if err != nil {
		return nil, err
	}
	if err := s.check(resp); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	c.remember(s.file, resp.Request.URL)
	return s.body(resp)
}

func (c *Client) remember(f File, at *url.URL) {
	if own, err := url.Parse(f.URL); err == nil && !sameHost(own, at) {
		c.places.set(f.URL, at.String())
	}
}

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

// places remembers which address a file's own one leads to, on another host. The
// hub counts and limits how often it is asked; where the bytes are, nobody does.
// Such an address is good for a while, and whoever finds it stale forgets it.
// The zero value knows none.
type places struct {
	mu    sync.Mutex
	known map[string]string
}

func (p *places) of(url string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[url]
}

func (p *places) set(url, place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]string{}
	}
	p.known[url] = place
}

// forget keeps what somebody else has found out since.
func (p *places) forget(url, stale string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[url] == stale {
		delete(p.known, url)
	}
}
