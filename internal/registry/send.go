package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// smallest is the size below which the refusal of a chunk is taken as a refusal of
// all chunks, not of its size.
const smallest = 1 << 20

// Send sends the next bytes of the blob as a chunk, with as many retries and pieces as
// it takes, and returns when the registry has all of them. The caller may then reuse
// chunk.
//
// After an [*OffsetError], continue with other bytes: from its offset, in chunks of the
// usual size. After [ErrNoChunks] and [ErrForgotten], start a new upload; after a
// [*TooLargeError] none will work. All others end the attempt: one of the kind
// [failure.Transient] leaves an upload that can be resumed.
func (u *Upload) Send(ctx context.Context, chunk []byte) error {
	if err := u.send(ctx, chunk); err != nil {
		return u.repo.explain(fmt.Errorf("sending a chunk to %q: %w", u.repo.Name(), err))
	}
	return nil
}

func (u *Upload) send(ctx context.Context, chunk []byte) error {
	if u.repo.opts.Limits.NoChunks {
		return ErrNoChunks
	}
	start, retry := u.offset, u.repo.Retry()
	for end := start + int64(len(chunk)); u.offset != end; {
		if u.offset < start || u.offset > end {
			return &OffsetError{u.offset}
		}
		before, piece := u.offset, u.repo.cut(chunk[u.offset-start:])
		if before > start && len(piece) < len(chunk) && int64(len(piece)) < u.min {
			return &OffsetError{u.offset}
		}
		trouble, err := u.patch(ctx, piece)
		if err != nil {
			return err
		}
		if u.offset != before {
			retry.Progress()
		}
		if trouble != nil {
			if err := retry.Again(ctx, failure.New(failure.Transient, trouble)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut shortens a chunk to what the registry accepts at once.
func (r *Repository) cut(chunk []byte) []byte {
	if most := r.piece.Load(); most > 0 && most < int64(len(chunk)) {
		return chunk[:most]
	}
	return chunk
}

// patch sends one piece. If err is nil, the offset is then the registry's. Another
// attempt may solve trouble.
func (u *Upload) patch(ctx context.Context, piece []byte) (trouble, err error) {
	q := request{method: http.MethodPatch, url: u.Location(), data: piece, ask: len(piece) > max(u.largest, smallest)}
	q.header = http.Header{"Content-Range": {contentRange(u.offset, len(piece))}}
	a, err := u.repo.once(ctx, q)
	switch {
	case err != nil && !mayRetry(err):
		return nil, err
	case err != nil:
		return u.recover(ctx, err)
	case isAccepted(a.code):
		return u.accept(ctx, a, len(piece))
	case a.code == http.StatusRequestEntityTooLarge, a.code == http.StatusRequestedRangeNotSatisfiable:
		return u.refit(ctx, a, len(piece), a.refusal(q))
	case u.fresh() && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, a.code):
		return nil, fmt.Errorf("%w: %w", ErrNoChunks, a.refusal(q))
	case a.code == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %w", ErrForgotten, a.refusal(q))
	case fetch.IsPassing(a.code), a.code == http.StatusBadRequest, a.code == http.StatusConflict:
		return u.recover(ctx, a.refusal(q))
	}
	return nil, a.refusal(q)
}

// isAccepted reports whether a chunk was accepted: 202 by the spec, 201 from ECR
// (https://github.com/jdx/mise/pull/11376).
func isAccepted(code int) bool {
	return code == http.StatusAccepted || code == http.StatusCreated || code == http.StatusNoContent || code == http.StatusOK
}

// fresh reports whether the registry has yet to show that it accepts chunks.
func (u *Upload) fresh() bool { return u.offset == 0 && !u.repo.chunks.Load() }

// recover finds out the registry's offset after a chunk that failed.
func (u *Upload) recover(ctx context.Context, cause error) (trouble, err error) {
	if status, ok := errors.AsType[*StatusError](cause); ok && status.After > 0 {
		return cause, nil // don't ask before the time that the registry named
	}
	if err := u.status(ctx); err != nil {
		return nil, fmt.Errorf("%w, after: %s", err, cause.Error())
	}
	return cause, nil
}

// accept updates the offset after a chunk of n bytes.
//
// A range that ends before the chunk is from a registry that kept less, or whose
// ranges lag behind (https://github.com/aws/containers-roadmap/issues/2831). The
// status of the upload decides; if it isn't available, the status code of the
// chunk does, and finally the digest.
func (u *Upload) accept(ctx context.Context, a *answer, n int) (trouble, err error) {
	want := u.offset + int64(n)
	if err := u.move(a); err != nil {
		return nil, err
	}
	u.repo.chunks.Store(true)
	u.largest = max(u.largest, n)
	if value := a.header.Get("Range"); value != "" && !u.noRanges {
		if said, ok := next(value, want); !ok || said != want {
			return u.doubt(ctx, want, value)
		}
	}
	u.offset = want
	return nil, nil
}

// doubt checks the offset of a registry that accepted a chunk but reported another range.
func (u *Upload) doubt(ctx context.Context, want int64, value string) (trouble, err error) {
	before := u.offset
	err = u.status(ctx)
	if code := codeOf(err); err != nil && code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
		return nil, err
	}
	if err != nil || u.offset == want {
		u.noRanges, u.offset = err != nil, want
		return nil, nil
	}
	if u.offset > before {
		return nil, nil
	}
	return fmt.Errorf("the registry accepted a chunk up to byte %d but reports the range %q", want, value), nil
}

// refit finds out why a registry refuses a chunk: its offset or its length. ghcr.io
// answers 416 to chunks of more than 4 MiB (https://github.com/ocx-sh/ocx/pull/237),
// proxies answer 413.
func (u *Upload) refit(ctx context.Context, a *answer, n int, refusal error) (trouble, err error) {
	before := u.offset
	if err := u.status(ctx); err != nil {
		if u.fresh() {
			return nil, fmt.Errorf("%w: %w", ErrNoChunks, refusal)
		}
		return nil, err
	}
	half := int64(n) / 2
	switch {
	case u.offset != before:
		return refusal, nil
	case n <= u.largest && a.code == http.StatusRequestEntityTooLarge:
		return nil, &TooLargeError{Registry: u.repo.name.RegistryStr(), Bytes: u.offset, Partial: true}
	case half < max(u.min, smallest):
		return nil, fmt.Errorf("%w: %w", ErrNoChunks, refusal)
	}
	u.repo.shrink(half)
	return nil, nil
}

// shrink lowers the maximum size of a chunk, for all uploads.
func (r *Repository) shrink(most int64) {
	for {
		old := r.piece.Load()
		if old > 0 && old <= most || r.piece.CompareAndSwap(old, most) {
			return
		}
	}
}
