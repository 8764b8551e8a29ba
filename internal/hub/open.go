package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"lamina.build/internal/fetch"
)

// Open implements [Source] by one request, to the hub or past it to where the
// hub said that the file is. Nothing is tried again but that place, once it is
// stale; see [Client.Reader].
//
// The answer has to be the range that was asked for, of a file of the size that
// f has: else the error is an [AnswerError] or a [MismatchError]. A refusal is
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

// wrongSize says that a server has another file than the one that was locked.
func wrongSize(f File, got string) error {
	return &MismatchError{URL: fetch.Redact(f.URL), What: "size", Want: fmt.Sprint(f.Size), Got: got}
}
