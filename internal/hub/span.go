package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
)

// mostSkipped is how much of a file is read and thrown away where a server
// knows no ranges: what hubs send without, and plain web servers, is small.
const mostSkipped = 16 << 20

// span is a part of a file that was asked for.
type span struct {
	file           File
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

// body is the part of an answer that was asked for.
func (s span) body(resp *http.Response) (io.ReadCloser, error) {
	if resp.StatusCode == http.StatusOK {
		if _, err := io.CopyN(io.Discard, resp.Body, s.offset); err != nil {
			return nil, errors.Join(failure.New(failure.Transient, cut(err)), resp.Body.Close())
		}
	}
	return &exactBody{ReadCloser: resp.Body, left: s.length}, nil
}

// exactBody yields as many bytes as were asked for, or an error.
type exactBody struct {
	io.ReadCloser

	left int64
}

func (b *exactBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.left > 0 {
		err = cut(err)
	}
	return n, err
}

// cut is the error of a body that ends before its end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
