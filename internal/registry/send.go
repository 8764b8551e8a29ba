package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// smallest is the chunk below which a registry that refuses it is taken to
// refuse chunks, and not their size.
const smallest = 1 << 20

// Send sends the next bytes of the blob as a chunk. It returns when the registry
// has all of them, however often it had to be asked and in however many pieces.
// chunk is free for use again then.
//
// Errors: [*OffsetError] tells to go on with other bytes: from its offset, in
// chunks as large as ever. [ErrNoChunks] and [ErrForgotten] tell to start a new
// upload, [*TooLargeError] that none will do. All others end the attempt: one of
// the kind [failure.Transient] leaves an upload that can be resumed.
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
	start, p := u.offset, u.repo.pause()
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
			p.reset()
		}
		if trouble != nil && trouble.cause != nil {
			if err := p.wait(ctx, trouble.last, trouble.cause); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut shortens a chunk to what the registry takes at once.
func (r *Repository) cut(chunk []byte) []byte {
	if most := r.piece.Load(); most > 0 && most < int64(len(chunk)) {
		return chunk[:most]
	}
	return chunk
}

// trouble is what another attempt may cure.
type trouble struct {
	last  *answer // nil where there was none
	cause error
}

// patch sends one piece. Afterwards the offset is what the registry says, if
// there is no error. No trouble is an attempt that needs no other.
func (u *Upload) patch(ctx context.Context, piece []byte) (*trouble, error) {
	q := request{method: http.MethodPatch, url: u.Location(), data: piece, ask: len(piece) > max(u.largest, smallest)}
	q.header = http.Header{"Content-Range": {contentRange(u.offset, len(piece))}}
	a, err := u.repo.once(ctx, q)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && !mayRetry(err):
		return nil, err
	case err != nil:
		return u.recover(ctx, nil, err)
	case isAccepted(a.code):
		return u.accept(ctx, a, len(piece))
	case a.code == http.StatusRequestEntityTooLarge, a.code == http.StatusRequestedRangeNotSatisfiable:
		return u.refit(ctx, a, len(piece), a.refusal(q))
	case u.fresh() && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, a.code):
		return nil, fmt.Errorf("%w: %w", ErrNoChunks, a.refusal(q))
	case a.code == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %w", ErrForgotten, a.refusal(q))
	case isBusy(a.code), a.code == http.StatusBadRequest, a.code == http.StatusConflict:
		return u.recover(ctx, a, a.refusal(q))
	}
	return nil, a.refusal(q)
}

// isAccepted tells the answers to a chunk that was taken: 202 by the spec, 201
// from ECR (https://github.com/jdx/mise/pull/11376).
func isAccepted(code int) bool {
	return code == http.StatusAccepted || code == http.StatusCreated || code == http.StatusNoContent || code == http.StatusOK
}

// fresh tells whether the registry hasn't shown yet that it takes chunks.
func (u *Upload) fresh() bool { return u.offset == 0 && !u.repo.chunks.Load() }
