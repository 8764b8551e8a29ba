package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// File is a file of a model as listed.
type File struct {
	lock.ModelFile // its SHA256 is empty until [Client.Lock] computes it

	GitOID string // git's hash: 40 digits; only of files in git itself, and empty in lists
}

// Open reads length bytes of a file from an offset. It continues where it was when a
// connection breaks or stalls, when the server is busy or has a problem, and when the
// address of a file's bytes has expired. It waits as long as the server requests, and
// gives up with a [fetch.UnreachableError] after as many consecutive attempts without
// progress as [Options] allow.
//
// The reader yields exactly that many bytes, or an error: an [AnswerError] or a
// [fetch.MismatchError] if the answer isn't the requested range of a file of f's size,
// or a [RefusedError]. It doesn't compare content with hashes.
func (c *Client) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	return c.retry(f.URL).Reader(ctx, offset, length, func(offset, length int64) (io.ReadCloser, error) {
		return c.openOnce(ctx, f, offset, length)
	})
}

// openOnce makes one request, to the hub or directly to the known host of the file. It
// retries only when that host's address has expired.
func (c *Client) openOnce(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 || offset > f.Size-length {
		return nil, fmt.Errorf("reading %q: %d bytes at %d exceed its size of %d", f.Path, length, offset, f.Size)
	}
	if length == 0 {
		return http.NoBody, nil
	}
	s := span{file: f, offset: offset, length: length}
	known, _ := c.places.Load(f.URL)
	place, _ := known.(string)
	body, err := c.openAt(ctx, s, place)
	if err == nil || place == "" {
		return body, err
	}
	c.places.CompareAndDelete(f.URL, place) // keeps what another goroutine found out since
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reason == Expired {
		return c.openAt(ctx, s, "")
	}
	return nil, err
}

// openAt makes a request to place, or to the file's own address if that is empty.
func (c *Client) openAt(ctx context.Context, s span, place string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, s.file.URL, place, s.header())
	if err != nil {
		return nil, err
	}
	if err := s.check(resp); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	if own, err := url.Parse(s.file.URL); err == nil && !sameHost(own, resp.Request.URL) {
		c.places.Store(s.file.URL, resp.Request.URL.String())
	}
	return s.body(resp)
}

// retry counts the attempts at an address.
func (c *Client) retry(address string) *fetch.Retry {
	r := c.http.Retry(address)
	r.Note = c.note
	return r
}

// mostSkipped is how much of a file is read and discarded if a server ignores ranges: hubs
// and plain web servers do so only for small files.
const mostSkipped = 16 << 20

// span is the requested part of a file.
type span struct {
	file           lock.ModelFile
	offset, length int64
}

// header returns the Range header; a whole file is requested without.
func (s span) header() string {
	if s.offset == 0 && s.length == s.file.Size {
		return ""
	}
	return fmt.Sprintf("bytes=%d-%d", s.offset, s.offset+s.length-1)
}

// check compares an answer with the request.
func (s span) check(resp *http.Response) error {
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return s.odd(fmt.Sprintf("it is encoded as %q, which was not requested", printable(e)))
	}
	said := resp.Header.Get("Content-Range")
	switch resp.StatusCode {
	case http.StatusPartialContent:
		return s.checkRange(said)
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := strings.Cut(said, "/")
		if total == strconv.FormatInt(s.file.Size, 10) {
			return s.odd("its server refuses a range that exists")
		}
		return s.wrongSize(cmp.Or(printable(total), "less"))
	}
	if resp.ContentLength >= 0 && resp.ContentLength != s.file.Size {
		return s.wrongSize(strconv.FormatInt(resp.ContentLength, 10))
	}
	if s.offset > mostSkipped {
		return s.odd("its server sends the whole file instead of a range")
	}
	return nil
}

// checkRange parses "bytes FIRST-LAST/TOTAL", as of RFC 9110, section 14.4.
func (s span) checkRange(said string) error {
	want := fmt.Sprintf("bytes %d-%d/", s.offset, s.offset+s.length-1)
	total, ok := strings.CutPrefix(said, want)
	switch {
	case !ok:
		return s.odd(fmt.Sprintf("the range of the answer is %q and not %q", printable(said), want+strconv.FormatInt(s.file.Size, 10)))
	case total != "*" && total != strconv.FormatInt(s.file.Size, 10):
		return s.wrongSize(printable(total))
	}
	return nil
}

func (s span) odd(reason string) error { return odd(s.file.URL, reason) }

// wrongSize returns the error of a file whose size differs from the lock.
func (s span) wrongSize(got string) error {
	return mismatch(s.file, "size", strconv.FormatInt(s.file.Size, 10), got)
}

// body returns an answer from the start of the requested part.
func (s span) body(resp *http.Response) (io.ReadCloser, error) {
	if resp.StatusCode != http.StatusOK {
		return resp.Body, nil
	}
	_, err := io.CopyN(io.Discard, resp.Body, s.offset)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, errors.Join(failure.New(failure.Transient, err), resp.Body.Close())
	}
	return resp.Body, nil
}
