package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// request is one for an address of a file or a document.
type request struct {
	url  string // what it is about, in messages too
	at   string // where it is known to be had; url where empty
	span string // the Range header; none where empty
}

// send makes a request once and follows where it leads. A refusal is a
// [RefusedError], but for that of a range that a file doesn't have.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	asked, err := url.Parse(r.url)
	if err != nil {
		return nil, odd(r.url, "not an address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(r.at, r.url), http.NoBody)
	if err != nil {
		return nil, odd(r.url, "not an address")
	}
	req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
	if r.span != "" {
		req.Header.Set("Range", r.span)
	}
	resp, err := c.http.Ask(req)
	if err != nil {
		return nil, broken(err)
	}
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

// document is an answer that was read whole.
type document struct {
	data   []byte
	header http.Header
	at     *url.URL // where it came from in the end
}

// fetch reads the whole of what is at most limit bytes long.
func (c *Client) fetch(ctx context.Context, address string, limit int64) (d document, err error) {
	err = c.patience(address).Try(ctx, func() (err error) {
		d, err = c.read(ctx, address, limit)
		return err
	})
	return d, err
}

func (c *Client) read(ctx context.Context, address string, limit int64) (document, error) {
	resp, err := c.send(ctx, request{url: address})
	if err != nil {
		return document{}, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	err = failure.New(failure.Transient, err)
	if err == nil && int64(len(data)) > limit {
		err = odd(address, fmt.Sprintf("the answer has more than %d bytes", limit))
	}
	return document{data: data, header: resp.Header, at: resp.Request.URL}, errors.Join(err, resp.Body.Close())
}

// mismatch is the error of a file that is not the one that was promised.
func mismatch(f File, what, want, got string) error {
	return failure.WithHint(&fetch.MismatchError{URL: fetch.Redact(f.URL), What: what, Want: want, Got: got}, hintOfMismatch)
}

const hintOfMismatch = "a proxy may alter it, or its server may have replaced it: compare before you lock anew"

// AnswerError is an answer that is not one to what was asked.
type AnswerError struct {
	URL    string
	Reason string
}

func (e *AnswerError) Error() string { return e.URL + ": " + e.Reason }

func odd(address, reason string) error {
	return &AnswerError{URL: fetch.Redact(address), Reason: reason}
}

// broken is what an error of the network means.
func broken(err error) error {
	if lost, ok := errors.AsType[*fetch.UnreachableError](err); ok {
		err = failure.New(failure.Transient, fmt.Errorf("asking %s: %w", lost.Host, lost.Err))
		return failure.WithHint(err, "check the network, HTTPS_PROXY and HF_ENDPOINT")
	}
	return fetch.Explain(err)
}
