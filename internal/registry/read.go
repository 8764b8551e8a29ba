package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// MismatchError is a manifest or a blob whose content doesn't match its digest.
type MismatchError struct {
	What      string // what was read
	Want, Got digest.Digest
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its digest is %s and not %s", e.What, e.Got, e.Want)
}

// ReadBlob returns a small blob, such as an image's configuration. The error is
// [ErrNotFound] if the repository doesn't have it.
func (r *Repository) ReadBlob(ctx context.Context, d digest.Digest) (data []byte, err error) {
	err = r.first(ctx, func(r *Repository) error {
		data, err = r.readBlob(ctx, d)
		return err
	})
	return data, err
}

func (r *Repository) readBlob(ctx context.Context, d digest.Digest) ([]byte, error) {
	what := fmt.Sprintf("blob %s of %q", d, r.Name())
	a, err := r.try(ctx, request{method: http.MethodGet, url: r.url("/blobs/" + d.String())}, http.StatusOK, http.StatusNotFound)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", what, err)
	case a.code == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if got := digest.FromBytes(a.data); got != d || len(a.data) > maxAnswer {
		return nil, &MismatchError{what, d, got}
	}
	return a.data, nil
}

// ReadRange passes a range of a blob to look, again if the connection breaks. If the
// registry doesn't support ranges, look gets the whole blob from its beginning. A part
// can't be verified against the digest of the whole.
func (r *Repository) ReadRange(ctx context.Context, d digest.Digest, from, to int64, look func(stretch io.Reader, whole bool) error) error {
	return r.first(ctx, func(r *Repository) error {
		err := r.Retry().Try(ctx, func() error { return r.readRange(ctx, d, from, to, look) })
		if err != nil {
			err = fmt.Errorf("reading blob %s of %q: %w", d, r.Name(), err)
		}
		return r.explain(err)
	})
}

func (r *Repository) readRange(ctx context.Context, d digest.Digest, from, to int64, look func(io.Reader, bool) error) error {
	q := request{method: http.MethodGet, url: r.url("/blobs/" + d.String())}
	q.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to-1)}}
	req, err := q.build(ctx)
	if err != nil {
		return err
	}
	resp, err := r.client.Ask(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()
	body := &answered{ctx, resp.Body}
	switch resp.StatusCode {
	case http.StatusOK:
		return look(body, true)
	case http.StatusPartialContent:
		if said := resp.Header.Get("Content-Range"); !strings.HasPrefix(said, fmt.Sprintf("bytes %d-", from)) {
			return fmt.Errorf("the registry returned range %.50q instead of the bytes from %d on", said, from)
		}
		return look(io.LimitReader(body, to-from), false)
	case http.StatusNotFound:
		return ErrNotFound
	}
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return err
	}
	return (&answer{code: resp.StatusCode, header: resp.Header, data: data}).refusal(q)
}

// answered is the body of an answer; its errors are those of a request.
type answered struct {
	ctx  context.Context //nolint:containedctx // lives for one answer
	body io.Reader
}

func (a *answered) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lost(a.ctx, err)
	}
	return n, err
}
