package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
)

// Body is the content of a file. It is resumed after an interruption or a stall, as long
// as the file stays the same.
type Body struct {
	URL    string // after redirects; not to be printed
	Size   int64  // -1 if unknown
	Header http.Header

	*steady

	client  *Client
	address string // before redirects: their targets may expire
}

// body returns the Body of an answer to a request for address.
func (c *Client) body(ctx context.Context, address string, resp *http.Response) *Body {
	u := resp.Request.URL
	b := &Body{URL: u.String(), Size: resp.ContentLength, Header: resp.Header, client: c, address: address}
	b.steady = &steady{ctx: ctx, retry: c.Retry(address), openAt: b.again, left: -1, body: resp.Body}
	b.retry.host = u.Host
	return b
}

// again opens the rest after an interruption.
func (b *Body) again(int64, int64) (io.ReadCloser, error) {
	err := b.open()
	return b.body, passing(err)
}

// open requests the rest of the file, if it is still the same.
func (b *Body) open() error {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.offset)}}
	tag := strongTag(b.Header)
	if tag != "" {
		header.Set("If-Range", tag)
	}
	resp, err := b.client.get(b.ctx, b.address, header)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusPartialContent && resp.StatusCode != http.StatusOK {
		return b.client.refusal(resp)
	}
	if err := skip(resp, b.offset, b.Size, tag); err != nil {
		return errors.Join(err, resp.Body.Close())
	}
	b.body = resp.Body
	return nil
}

// skip reads the body of an answer up to an offset. The answer must be of a file of that
// size and tag, as far as both are known: a server may sometimes omit a tag, or not
// support ranges.
func skip(resp *http.Response, offset, size int64, tag string) error {
	start, whole, now := int64(0), resp.ContentLength, strongTag(resp.Header)
	isPart := resp.StatusCode == http.StatusPartialContent
	if isPart {
		start, whole = contentRange(resp.Header)
	}
	isSame := tag == now || tag == "" || now == "" && isPart // If-Range guarantees a part of the same file
	if !isSame || start < 0 || start > offset || whole >= 0 && size >= 0 && whole != size {
		return &ChangedError{URL: Redact(resp.Request.URL.String())}
	}
	if _, err := io.CopyN(io.Discard, resp.Body, offset-start); err != nil {
		return fmt.Errorf("skipping what was already read: %w", err)
	}
	return nil
}

// strongTag returns an ETag that identifies bytes, not only their meaning.
func strongTag(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return ""
}

// contentRange returns the start of a part and the size of the whole, each -1
// if the header doesn't have it.
func contentRange(h http.Header) (start, size int64) {
	start, size = -1, -1
	text, ok := strings.CutPrefix(h.Get("Content-Range"), "bytes ")
	if !ok {
		return start, size
	}
	part, whole, _ := strings.Cut(text, "/")
	from, _, _ := strings.Cut(part, "-")
	if n, err := strconv.ParseInt(from, 10, 64); err == nil {
		start = n
	}
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		size = n
	}
	return start, size
}

// Reader reads length bytes from open, and reopens at the current offset each time it fails or
// ends early. Every byte that arrives restarts the retries.
func (r *Retry) Reader(ctx context.Context, offset, length int64, open func(offset, length int64) (io.ReadCloser, error)) (io.ReadCloser, error) {
	s := &steady{ctx: ctx, retry: r, openAt: open, offset: offset, left: length}
	return s, s.open()
}

// steady is a body that is resumed after an interruption.
type steady struct {
	ctx          context.Context //nolint:containedctx // that of the file being read, as its body's would be
	retry        *Retry
	openAt       func(offset, length int64) (io.ReadCloser, error)
	offset, left int64         // left is -1 if only the body has the length
	body         io.ReadCloser // nil after it failed
}

func (s *steady) open() error {
	return s.retry.Try(s.ctx, func() (err error) {
		s.body, err = s.openAt(s.offset, s.left)
		return err
	})
}

func (s *steady) Read(p []byte) (int, error) {
	for s.left != 0 {
		if s.body == nil {
			if err := s.open(); err != nil {
				return 0, err
			}
		}
		n, err := s.read(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.EOF
}

// read reads from the current body. No bytes and no error mean that it has
// failed.
func (s *steady) read(p []byte) (int, error) {
	if s.left > 0 {
		p = p[:min(int64(len(p)), s.left)]
	}
	n, err := s.body.Read(p)
	if n > 0 {
		s.retry.Progress()
		s.offset += int64(n)
	}
	switch {
	case s.left > 0:
		if s.left -= int64(n); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	case errors.Is(err, io.EOF):
		s.left = 0
	}
	if err == nil || s.left == 0 {
		return n, nil
	}
	if err = errors.Join(err, s.drop()); n > 0 {
		return n, nil
	}
	return 0, s.retry.Again(s.ctx, failure.New(failure.Transient, err))
}

// Close ends the reading for good.
func (s *steady) Close() error {
	s.openAt = func(int64, int64) (io.ReadCloser, error) { return nil, os.ErrClosed }
	return s.drop()
}

// drop closes a body that is no longer read.
func (s *steady) drop() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.body = nil
	return err
}
