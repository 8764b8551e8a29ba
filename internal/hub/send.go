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

// mostOfDocument is the maximum size of an API answer, in bytes: one about a
// repository lists all its files.
const mostOfDocument = 64 << 20

// send makes one request for an address, which messages name, and follows redirects. If
// at isn't empty, it is where the address is known to lead, and the request goes there;
// span is the Range header, or empty. A refusal is a [RefusedError], except that of a
// range that a file doesn't have.
func (c *Client) send(ctx context.Context, address, at, span string) (*http.Response, error) {
	asked, err := url.Parse(address)
	if err != nil {
		return nil, odd(address, "not an address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(at, address), http.NoBody)
	if err != nil {
		return nil, odd(address, "not an address")
	}
	req.Header.Set("Accept-Encoding", "identity") // lengths and ranges must be those of the file
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

// document is an answer that was read completely.
type document struct {
	data   []byte
	header http.Header
	at     *url.URL // after redirects
}

// fetch reads a whole answer that isn't a file.
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
		err = odd(address, fmt.Sprintf("the answer is larger than %d bytes", mostOfDocument))
	}
	return document{data: data, header: resp.Header, at: resp.Request.URL}, errors.Join(err, resp.Body.Close())
}

// mismatch returns the error of a file that isn't the expected one.
func mismatch(f lock.ModelFile, what, want, got string) error {
	return failure.WithHint(&fetch.MismatchError{URL: fetch.Redact(f.URL), What: what, Want: want, Got: got}, hintOfMismatch)
}

const hintOfMismatch = "a proxy may have altered it, or its server may have replaced it: find out which before you lock it again"

// AnswerError is an answer that doesn't fit the request.
type AnswerError struct {
	URL    string
	Reason string
}

func (e *AnswerError) Error() string { return e.URL + ": " + e.Reason }

func odd(address, reason string) error {
	return &AnswerError{URL: fetch.Redact(address), Reason: reason}
}

// broken explains a network error.
func broken(err error) error {
	if lost, ok := errors.AsType[*fetch.UnreachableError](err); ok {
		err = failure.New(failure.Transient, fmt.Errorf("contacting %s: %w", lost.Host, lost.Err))
		return failure.WithHint(err, "check the network, HTTPS_PROXY and HF_ENDPOINT")
	}
	return fetch.Explain(err)
}

// ErrBytes is returned for a file whose content differs from the lock.
var ErrBytes = errors.New("the content differs from the lock")

// Diagnose explains why somebody else, such as an engine, could not fetch a file, by
// requesting its first byte. An engine hashes whatever a server answers, so it reports a
// 404 page as a wrong hash; cause is its error.
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

// isMismatch recognizes the engine's error for content with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
