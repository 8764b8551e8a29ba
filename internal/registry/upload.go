package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/fetch"
)

// Upload is a blob being uploaded. It is not safe for concurrent use.
type Upload struct {
	repo     *Repository
	location *url.URL
	offset   int64
	min      int64
	largest  int  // chunk that was accepted
	noRanges bool // the registry's ranges are unreliable
}

// Start begins an upload.
func (r *Repository) Start(ctx context.Context) (*Upload, error) {
	a, err := r.try(ctx, request{method: http.MethodPost, url: r.url("/blobs/uploads/")}, http.StatusAccepted)
	if err != nil {
		return nil, fmt.Errorf("starting an upload to %q: %w", r.Name(), err)
	}
	return r.begun(a)
}

// begun reads the answer that starts an upload.
func (r *Repository) begun(a *answer) (*Upload, error) {
	location, err := r.locate(a.header.Get("Location"), a.from)
	if err != nil {
		return nil, err
	}
	return &Upload{repo: r, location: location, min: a.chunkMin()}, nil
}

// chunkMin returns the minimum size of a chunk; zero if the registry states none.
func (a *answer) chunkMin() int64 {
	n, err := strconv.ParseInt(a.header.Get("OCI-Chunk-Min-Length"), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// Resume continues an upload that another process may have begun, from where the
// registry reports it to be. The error is [ErrForgotten] if the registry doesn't know
// the upload or where it is, or if the location isn't on the registry: a recorded
// location must not redirect weights elsewhere.
func (r *Repository) Resume(ctx context.Context, location string) (*Upload, error) {
	u, err := url.Parse(location)
	if err != nil || !r.isHome(u) {
		return nil, fmt.Errorf("resuming an upload that isn't on %q: %w", r.name.RegistryStr(), ErrForgotten)
	}
	up := &Upload{repo: r, location: u}
	if err := up.status(ctx); err != nil {
		return nil, fmt.Errorf("resuming an upload to %q: %w", r.Name(), err)
	}
	return up, nil
}

// Location returns the absolute URL by which the upload can be resumed. It may
// change with each chunk, and may contain a secret that authorizes continuing the
// upload: keep it like a password.
func (u *Upload) Location() string { return u.location.String() }

// Offset returns how many bytes the registry has, which is the next to send.
func (u *Upload) Offset() int64 { return u.offset }

// ChunkMin returns the minimum number of bytes of each chunk but the last; zero
// if the registry sets no minimum, and after [Repository.Resume], where most don't
// report it.
func (u *Upload) ChunkMin() int64 { return u.min }

// Cancel abandons the upload. By the spec, errors don't matter: a registry forgets
// uploads by itself.
func (u *Upload) Cancel(ctx context.Context) {
	_, _ = u.repo.once(ctx, request{method: http.MethodDelete, url: u.Location()})
}

// status asks the registry for the offset. Any refusal except of the login means
// that the upload can't be resumed.
func (u *Upload) status(ctx context.Context) error {
	a, err := u.repo.try(ctx, request{method: http.MethodGet, url: u.Location()}, http.StatusNoContent, http.StatusAccepted, http.StatusOK)
	if err != nil {
		if code := codeOf(err); code != 0 && !isRefused(code) && !fetch.IsPassing(code) {
			return fmt.Errorf("%w: %w", ErrForgotten, err)
		}
		return err
	}
	offset, ok := next(a.header.Get("Range"), u.offset)
	if !ok && a.header.Get("Range") != "" {
		return fmt.Errorf("%w: its range is %q", ErrForgotten, a.header.Get("Range"))
	}
	u.offset, u.min = offset, max(u.min, a.chunkMin())
	return u.move(a)
}

// move updates the location from an answer that has one.
func (u *Upload) move(a *answer) error {
	value := a.header.Get("Location")
	if value == "" {
		return nil
	}
	location, err := u.repo.locate(value, a.from)
	if err == nil {
		u.location = location
	}
	return err
}

// Commit ends the upload: the registry checks the digest and keeps the blob. If the
// answer gets lost, Commit looks for the blob.
//
// The error is [ErrCorrupt] if the registry has other bytes, and [ErrForgotten] if it
// knows neither the upload nor the blob.
func (u *Upload) Commit(ctx context.Context, d digest.Digest) error {
	if err := u.commit(ctx, d); err != nil {
		return u.repo.explain(fmt.Errorf("committing blob %s to %q: %w", d, u.repo.Name(), err))
	}
	return nil
}

func (u *Upload) commit(ctx context.Context, d digest.Digest) error {
	q := u.closing(d)
	return u.repo.Retry().Try(ctx, func() error {
		a, err := u.repo.once(ctx, q)
		if err == nil && isAccepted(a.code) {
			return a.check(d)
		}
		if err == nil {
			err = unclosed(a.refusal(q))
		}
		if isRefused(codeOf(err)) {
			return err
		}
		has, hasErr := u.repo.Has(ctx, d)
		if has {
			return nil
		}
		return errors.Join(err, hasErr)
	})
}

// unclosed returns the meaning of a refusal to end an upload.
func unclosed(refusal error) error {
	switch codeOf(refusal) {
	case http.StatusBadRequest, http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: %w", ErrCorrupt, refusal)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrForgotten, refusal)
	}
	return refusal
}

// closing returns the request that ends an upload. It uses the location as the
// registry returned it: its query may be signed.
func (u *Upload) closing(d digest.Digest) request {
	location := *u.location
	if location.RawQuery != "" {
		location.RawQuery += "&"
	}
	location.RawQuery += "digest=" + url.QueryEscape(d.String())
	return request{method: http.MethodPut, url: location.String(), answerTimeout: u.repo.opts.Finish}
}

// check compares a digest with the one that the registry reports as stored. One of
// another algorithm can't be compared.
func (a *answer) check(d digest.Digest) error {
	got := digest.Digest(a.header.Get("Docker-Content-Digest"))
	if got.Validate() == nil && got.Algorithm() == d.Algorithm() && got != d {
		return fmt.Errorf("%w: it stored %s and not %s", ErrCorrupt, got, d)
	}
	return nil
}

// next reads the Range header of an upload's answer, "0-<last byte>" as of
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks,
// and returns the offset of the next byte. believed is the caller's offset.
//
// "0-0" is one byte by the spec. Registries return it for an empty upload, too,
// because there is no other way to express one
// (https://github.com/opencontainers/distribution-spec/issues/578); some return
// "0--1", and no caller sends chunks of one byte.
func next(header string, believed int64) (int64, bool) {
	value := strings.TrimPrefix(strings.TrimPrefix(header, "bytes="), "bytes ")
	last, ok := strings.CutPrefix(value, "0-")
	if !ok {
		return 0, false
	}
	if last == "-1" || last == "0" && believed != 1 {
		return 0, true
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || n+1 < 0 || last[0] == '+' {
		return 0, false
	}
	return n + 1, true
}

// contentRange formats a Content-Range header for n bytes, both ends included.
func contentRange(offset int64, n int) string {
	return strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+int64(n)-1, 10)
}
