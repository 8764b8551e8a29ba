package registry

import (
	"context"
	"fmt"
	"net/http"
)

// recover finds out where the registry is after a chunk that failed.
func (u *Upload) recover(ctx context.Context, last *answer, cause error) (*trouble, error) {
	if last != nil && last.header.Get("Retry-After") != "" {
		// Who says when to ask again is not asked before.
		return &trouble{last, cause}, nil
	}
	if err := u.status(ctx); err != nil {
		return nil, fmt.Errorf("%w, after: %s", err, cause.Error())
	}
	return &trouble{last, cause}, nil
}

// accept takes over where the registry is after a chunk of n bytes.
//
// A range short of the chunk's end is a registry that kept less, or one whose
// ranges lag behind (https://github.com/aws/containers-roadmap/issues/2831). The
// status of the upload decides; where that can't be had, the status code of the
// chunk does, and the digest at the end.
func (u *Upload) accept(ctx context.Context, a *answer, n int) (*trouble, error) {
	want := u.offset + int64(n)
	if err := u.move(a); err != nil {
		return nil, err
	}
	u.repo.chunks.Store(true)
	u.largest = max(u.largest, n)
	if value := a.header.Get("Range"); value != "" && !u.deaf {
		if said, ok := next(value, want); !ok || said != want {
			return u.doubt(ctx, want, value)
		}
	}
	u.offset = want
	return nil, nil
}

// doubt asks a registry where it is that took a chunk and said otherwise.
func (u *Upload) doubt(ctx context.Context, want int64, value string) (*trouble, error) {
	before := u.offset
	err := u.status(ctx)
	if err != nil && !hasStatus(err, http.StatusNotFound, http.StatusMethodNotAllowed) {
		return nil, err
	}
	if err != nil || u.offset == want {
		u.deaf, u.offset = err != nil, want
		return nil, nil
	}
	if u.offset > before {
		return nil, nil
	}
	return &trouble{cause: fmt.Errorf("the registry took a chunk up to byte %d and has the range %q", want, value)}, nil
}

// refit finds out what a registry dislikes about a chunk: where it starts, or
// how long it is. ghcr.io answers 416 to chunks of more than 4 MiB
// (https://github.com/ocx-sh/ocx/pull/237), proxies answer 413.
func (u *Upload) refit(ctx context.Context, a *answer, n int, refusal error) (*trouble, error) {
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
		return &trouble{a, refusal}, nil
	case n <= u.largest && a.code == http.StatusRequestEntityTooLarge:
		return nil, &TooLargeError{Registry: u.repo.name.RegistryStr(), Bytes: u.offset, Partial: true}
	case half < max(u.min, smallest):
		return nil, fmt.Errorf("%w: %w", ErrNoChunks, refusal)
	}
	u.repo.shrink(half)
	return nil, nil
}

// shrink lowers the most bytes of a chunk, for all uploads.
func (r *Repository) shrink(most int64) {
	for {
		old := r.piece.Load()
		if old > 0 && old <= most || r.piece.CompareAndSwap(old, most) {
			return
		}
	}
}
