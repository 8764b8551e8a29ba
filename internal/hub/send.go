package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// request is one for an address of a file or a document.
type request struct {
	method string
	url    string // what it is about, in messages too
	at     string // where it is known to be had; url where empty
	span   string // the Range header; none where empty
}

// send makes a request and follows where it leads. The body of the answer ends
// with an error once it stalls. A refusal is a [RefusedError], but for that of a
// range that a file doesn't have.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	asked, err := url.Parse(r.url)
	if err != nil {
		return nil, &AnswerError{URL: redact(r.url), Reason: "not an address"}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watch := c.watch(ctx, cancel)
	resp, err := c.do(ctx, r)
	watch.pause()
	if err != nil {
		watch.end()
		return nil, broken(watch.cause(err))
	}
	watch.body, resp.Body = resp.Body, watch
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return resp, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if r.span != "" {
			return resp, nil
		}
	}
	return nil, errors.Join(c.refusal(asked, resp), resp.Body.Close())
}

func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, cmp.Or(r.at, r.url), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "lamina")
	req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
	if r.span != "" {
		req.Header.Set("Range", r.span)
	}
	return c.http.Do(req)
}

// document is an answer that was read whole.
type document struct {
	data   []byte
	header http.Header
	at     *url.URL // where it came from in the end
}

// fetch reads the whole of what is at most limit bytes long.
func (c *Client) fetch(ctx context.Context, address string, limit int64) (d document, err error) {
	err = c.patience(address).try(ctx, func() (err error) {
		d, err = c.read(ctx, address, limit)
		return err
	})
	return d, err
}

func (c *Client) read(ctx context.Context, address string, limit int64) (document, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, url: address})
	if err != nil {
		return document{}, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &AnswerError{URL: redact(address), Reason: fmt.Sprintf("the answer has more than %d bytes", limit)}
	}
	return document{data: data, header: resp.Header, at: resp.Request.URL}, errors.Join(err, resp.Body.Close())
}
