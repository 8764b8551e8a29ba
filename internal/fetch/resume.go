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

// resumed is a body that goes on where it was when it is cut or stalls.
type resumed struct {
	ctx     context.Context //nolint:containedctx // that of the file being read
	client  *Client
	address string         // as it was first asked for: where it leads to may be good for a while only
	first   *http.Response // its header says what the file is
	body    io.ReadCloser
	offset  int64
	failed  int // in a row that brought nothing
	err     error
}

func (r *resumed) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.body.Read(p)
		r.offset += int64(n)
		if n > 0 {
			r.failed = 0
		}
		if err == nil || errors.Is(err, io.EOF) {
			r.err = err
			return n, err
		}
		if r.err = r.again(err); n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

func (r *resumed) Close() error { return r.body.Close() }

// again opens the rest, which err kept from coming.
func (r *resumed) again(err error) error {
	_ = r.body.Close() // it has failed
	for {
		t := tries{client: r.client, url: Redact(r.address), host: r.first.Request.URL.Host, failed: r.failed}
		more, waitErr := t.again(r.ctx, nil, err)
		r.failed = t.failed
		if waitErr != nil || !more {
			return waitErr
		}
		if err = r.open(); err == nil {
			return nil
		}
		if _, ok := errors.AsType[*UnreachableError](err); ok {
			return err // it has been tried often enough
		}
	}
}

// open asks for the rest of the file, if it still is the same.
func (r *resumed) open() error {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", r.offset)}}
	tag := strongTag(r.first.Header)
	if tag != "" {
		header.Set("If-Range", tag)
	}
	resp, err := r.client.follow(r.ctx, r.address, header)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusPartialContent && resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	start, size := int64(0), resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		start, size = contentRange(resp.Header)
	}
	isSame := strongTag(resp.Header) == tag && (size < 0 || r.first.ContentLength < 0 || size == r.first.ContentLength)
	if !isSame || (start != r.offset && start != 0) {
		return errors.Join(&ChangedError{URL: Redact(r.address)}, resp.Body.Close())
	}
	if _, err := io.CopyN(io.Discard, resp.Body, r.offset-start); err != nil {
		return errors.Join(fmt.Errorf("reading again what came before: %w", err), resp.Body.Close())
	}
	r.body = resp.Body
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
