package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// mostOfDocument is how long an answer of the API may be, in bytes: one about a
// repository lists all its files.
const mostOfDocument = 64 << 20

// send makes a request once and follows where it leads. It is about an address, in
// messages too, and goes to where that is known to lead, if at is not empty; span is
// the Range header, or empty. A refusal is a [RefusedError], but for that of a range
// that a file doesn't have.
func (c *Client) send(ctx context.Context, address, at, span string) (*http.Response, error) {
	asked, err := url.Parse(address)
	if err != nil {
		return nil, odd(address, "not an address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(at, address), http.NoBody)
	if err != nil {
		return nil, odd(address, "not an address")
	}
	req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
	if span != "" {
		req.Header.Set("Range", span)
	}
	resp, err := c.http.Ask(req)
	if err != nil {
		return nil, broken(err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return resp, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if span != "" {
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

// fetch reads the whole of an answer that is no file.
func (c *Client) fetch(ctx context.Context, address string) (d document, err error) {
	err = c.retry(address).Try(ctx, func() (err error) {
		d, err = c.read(ctx, address)
		return err
	})
	return d, err
}

func (c *Client) read(ctx context.Context, address string) (document, error) {
	resp, err := c.send(ctx, address, "", "")
	if err != nil {
		return document{}, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostOfDocument+1))
	err = failure.New(failure.Transient, err)
	if err == nil && len(data) > mostOfDocument {
		err = odd(address, fmt.Sprintf("the answer has more than %d bytes", mostOfDocument))
	}
	return document{data: data, header: resp.Header, at: resp.Request.URL}, errors.Join(err, resp.Body.Close())
}

// mismatch is the error of a file that is not the one that was promised.
func mismatch(f lock.ModelFile, what, want, got string) error {
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

// ErrBytes is returned for a file whose bytes are not those that were locked.
var ErrBytes = errors.New("what comes are not the bytes that were locked")

// Diagnose says why somebody else, such as an engine, could not fetch a file,
// by asking for its first byte. An engine hashes whatever a server answers, so
// that a page that says 404 is a wrong hash to it; cause is what it made of it.
func (c *Client) Diagnose(ctx context.Context, f lock.ModelFile, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := c.openOnce(ctx, f, 0, min(1, f.Size))
	if err == nil {
		err = body.Close()
	}
	what := fmt.Sprintf("fetching %q", f.Path)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case isMismatch(cause):
		err := fmt.Errorf("%s: %w: %w", what, ErrBytes, cause)
		return failure.WithHint(err, hintOfMismatch)
	}
	return failure.New(failure.Transient, fmt.Errorf("%s: %w", what, cause))
}

// isMismatch knows the engine's word for bytes with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
