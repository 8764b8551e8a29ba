package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Body is the content of a file. It goes on where it was when it is cut or
// stalls, as long as the file stays the same.
type Body struct {
	URL    string // where it came from in the end; not to be printed
	Size   int64  // -1 where it is not known
	Header http.Header

	ctx     context.Context //nolint:containedctx // that of the file being read
	client  *Client
	address string // as it was first asked for: where it leads to may be good for a while only
	host    string
	body    io.ReadCloser
	offset  int64
	failed  int // in a row that brought nothing
	err     error
}

// body is that of an answer to a request for address.
func (c *Client) body(ctx context.Context, address string, resp *http.Response) *Body {
	u := resp.Request.URL
	return &Body{URL: u.String(), Size: resp.ContentLength, Header: resp.Header, ctx: ctx, client: c, address: address, host: u.Host, body: resp.Body}
}

// Read reads on.
func (b *Body) Read(p []byte) (int, error) {
	for b.err == nil {
		n, err := b.body.Read(p)
		b.offset += int64(n)
		if n > 0 {
			b.failed = 0
		}
		if err == nil || errors.Is(err, io.EOF) {
			b.err = err
			return n, err
		}
		if b.err = b.again(err); n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// Close ends the transfer.
func (b *Body) Close() error { return b.body.Close() }

// again opens the rest, which err kept from coming.
func (b *Body) again(err error) error {
	_ = b.body.Close() // it has failed
	for {
		t := tries{client: b.client, url: Redact(b.address), host: b.host, failed: b.failed}
		more, waitErr := t.again(b.ctx, nil, err)
		b.failed = t.failed
		if waitErr != nil || !more {
			return waitErr
		}
		if err = b.open(); err == nil {
			return nil
		}
		if _, ok := errors.AsType[*UnreachableError](err); ok {
			return err // it has been tried often enough
		}
	}
}

// open asks for the rest of the file, if it still is the same.
func (b *Body) open() error {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.offset)}}
	tag := strongTag(b.Header)
	if tag != "" {
		header.Set("If-Range", tag)
	}
	resp, err := b.client.follow(b.ctx, b.address, header)
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

// skip reads the body of an answer up to an offset. The answer has to be of a file of
// that size and tag, as far as either is known: a server may know no ranges, or a tag,
// for once.
func skip(resp *http.Response, offset, size int64, tag string) error {
	start, whole, now := int64(0), resp.ContentLength, strongTag(resp.Header)
	isPart := resp.StatusCode == http.StatusPartialContent
	if isPart {
		start, whole = contentRange(resp.Header)
	}
	isSame := tag == now || tag == "" || now == "" && isPart // If-Range has it be a part of the same
	if !isSame || start < 0 || start > offset || whole >= 0 && size >= 0 && whole != size {
		return &ChangedError{URL: Redact(resp.Request.URL.String())}
	}
	if _, err := io.CopyN(io.Discard, resp.Body, offset-start); err != nil {
		return fmt.Errorf("reading again what came before: %w", err)
	}
	return nil
}

// strongTag is an ETag that stands for bytes, and not for a meaning alone.
func strongTag(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return ""
}

// contentRange returns where a part begins and how large the whole is, each -1
// where the header doesn't say.
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
