package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// Upload is a blob on its way. One goroutine at a time may use it.
type Upload struct {
	repo     *Repository
	location *url.URL
	offset   int64
	min      int64
	largest  int  // chunk that was accepted
	deaf     bool // the registry's ranges are of no use
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

// chunkMin reads how small a chunk may be; zero where nothing is said.
func (a *answer) chunkMin() int64 {
	n, err := strconv.ParseInt(a.header.Get("OCI-Chunk-Min-Length"), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// Resume goes on with an upload that another process may have begun. It asks
// the registry how far that came. The error is [ErrForgotten] if the registry
// doesn't know it, doesn't say, or if the location isn't on the registry: what
// was written down by another process is no order to send weights elsewhere.
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
// change with each chunk, and may hold what entitles to go on with the upload:
// keep it like a password.
func (u *Upload) Location() string { return u.location.String() }

// Offset returns how many bytes the registry has, which is the next to send.
func (u *Upload) Offset() int64 { return u.offset }

// ChunkMin returns how many bytes each chunk but the last must have at least;
// zero where the registry sets no limit, and after [Repository.Resume], where
// most say nothing of it.
func (u *Upload) ChunkMin() int64 { return u.min }

// Cancel gives the upload up. That it fails is of no account, says the spec:
// a registry forgets uploads by itself.
func (u *Upload) Cancel(ctx context.Context) {
	_, _ = u.repo.once(ctx, request{method: http.MethodDelete, url: u.Location()})
}

// status asks the registry where it is. Any refusal but one of the login means
// that the upload can't be resumed.
func (u *Upload) status(ctx context.Context) error {
	a, err := u.repo.try(ctx, request{method: http.MethodGet, url: u.Location()}, http.StatusNoContent, http.StatusAccepted, http.StatusOK)
	if err != nil {
		if code := codeOf(err); code != 0 && !isRefused(code) && !isBusy(code) {
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

// move takes over the location of an answer, if it has one.
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
