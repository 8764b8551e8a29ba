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

// File is a file of a model as it is listed.
type File struct {
	lock.ModelFile // its SHA256 is empty where [Client.Lock] has yet to find out

	GitOID string // what git calls it: 40 digits; of files in git itself alone, and empty in lists
}

// Open reads length bytes of a file from an offset on, and goes on where it was
// when a connection is cut or stalls, when the server is busy or in trouble, and
// when the address of a file's bytes is no longer good. It waits as the server
// asks, and gives up with a [fetch.UnreachableError] after as many attempts in a
// row that bring nothing as [Options] allow.
//
// The reader yields exactly as many bytes, or an error: an [AnswerError] or a
// [fetch.MismatchError] where what comes is not the range that was asked for, of a
// file of the size that f has; a [RefusedError]. Content isn't compared with hashes.
func (c *Client) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	return c.retry(f.URL).Reader(ctx, offset, length, func(offset, length int64) (io.ReadCloser, error) {
		return c.openOnce(ctx, f, offset, length)
	})
}

// openOnce makes one request, to the hub or past it to where the hub said that the
// file is. Nothing is tried again but that place, once it is stale.
func (c *Client) openOnce(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 || offset > f.Size-length {
		return nil, fmt.Errorf("reading %q: it has no %d bytes at %d, but %d in all", f.Path, length, offset, f.Size)
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
	c.places.CompareAndDelete(f.URL, place) // what somebody else has found out since stays
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reason == Expired {
		return c.openAt(ctx, s, "")
	}
	return nil, err
}

// openAt asks at a place, or at the file's own address where there is none.
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

// retry counts the attempts for an address.
func (c *Client) retry(address string) *fetch.Retry {
	r := c.http.Retry(address)
	r.Note = c.note
	return r
}

// mostSkipped is how much of a file is read and thrown away where a server
// knows no ranges: what hubs send without, and plain web servers, is small.
const mostSkipped = 16 << 20

// span is a part of a file that was asked for.
type span struct {
	file           lock.ModelFile
	offset, length int64
}

// header is the Range header. The whole of a file is asked for without.
func (s span) header() string {
	if s.offset == 0 && s.length == s.file.Size {
		return ""
	}
	return fmt.Sprintf("bytes=%d-%d", s.offset, s.offset+s.length-1)
}

// check compares an answer with what was asked for.
func (s span) check(resp *http.Response) error {
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return s.odd(fmt.Sprintf("it comes encoded as %q, and was asked for as it is", printable(e)))
	}
	said := resp.Header.Get("Content-Range")
	switch resp.StatusCode {
	case http.StatusPartialContent:
		return s.checkRange(said)
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := strings.Cut(said, "/")
		if total == strconv.FormatInt(s.file.Size, 10) {
			return s.odd("its server refuses a range of it that there is")
		}
		return s.wrongSize(cmp.Or(printable(total), "less"))
	}
	if resp.ContentLength >= 0 && resp.ContentLength != s.file.Size {
		return s.wrongSize(strconv.FormatInt(resp.ContentLength, 10))
	}
	if s.offset > mostSkipped {
		return s.odd("its server sends the whole in place of a range")
	}
	return nil
}

// checkRange reads "bytes FIRST-LAST/TOTAL", as of RFC 9110, section 14.4.
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

// wrongSize says that a server has another file than the one that was locked.
func (s span) wrongSize(got string) error {
	return mismatch(s.file, "size", strconv.FormatInt(s.file.Size, 10), got)
}

// body is an answer from the part on that was asked for.
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
