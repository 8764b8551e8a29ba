package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
)

// ChunkSize is how many bytes [Repository.Put] sends at once. To resume, it rarely needs
// bytes from further back.
const ChunkSize = 8 << 20

const (
	uploads   = 3  // started before giving up, if the registry loses one or has other bytes
	maxStalls = 10 // how often bytes may be requested again without progress
)

// Put uploads a blob whose digest is known. It resumes an interrupted upload without
// sending again what the registry has, unless that accepts no chunks. open opens the
// blob at an offset.
func (r *Repository) Put(ctx context.Context, d digest.Digest, size int64, open func(from int64) (io.ReadCloser, error)) error {
	err := ErrNoChunks
	if size > ChunkSize {
		for range uploads {
			err = r.putChunks(ctx, d, size, open)
			if !errors.Is(err, ErrForgotten) && !errors.Is(err, ErrCorrupt) {
				break
			}
		}
	}
	if !errors.Is(err, ErrNoChunks) {
		return err
	}
	return r.Retry().Try(ctx, func() error {
		body, err := open(0)
		if err != nil {
			return err
		}
		return errors.Join(r.Whole(ctx, d, size, body), body.Close())
	})
}

func (r *Repository) putChunks(ctx context.Context, d digest.Digest, size int64, open func(from int64) (io.ReadCloser, error)) error {
	u, err := r.Start(ctx)
	if err != nil {
		return err
	}
	if err = ErrNoChunks; u.min <= ChunkSize {
		err = u.sendAll(ctx, size, open)
	}
	if err != nil {
		u.Cancel(context.WithoutCancel(ctx))
		return err
	}
	return u.Commit(ctx, d)
}

// sendAll sends what the registry lacks, starting over at each offset that it requests.
func (u *Upload) sendAll(ctx context.Context, size int64, open func(from int64) (io.ReadCloser, error)) error {
	chunk := make([]byte, min(ChunkSize, size))
	return Passes(u.Offset, func() bool { return u.offset >= size }, func() error {
		body, err := open(u.offset)
		if err != nil {
			return err
		}
		return errors.Join(u.sendFrom(ctx, body, size, chunk), body.Close())
	})
}

// Passes repeats a pass through a blob until it is done. A pass that ends in an [OffsetError]
// starts over at the offset, unless that hasn't advanced for [maxStalls] passes.
func Passes(offset func() int64, done func() bool, pass func() error) error {
	for furthest, tries := offset(), 0; !done(); {
		err := pass()
		if _, moved := errors.AsType[*OffsetError](err); err != nil && !moved {
			return err
		}
		if tries++; offset() > furthest {
			furthest, tries = offset(), 0
		}
		if tries >= maxStalls {
			return failure.New(failure.Transient, fmt.Errorf("gave up after %d attempts: %w", tries, err))
		}
	}
	return nil
}

func (u *Upload) sendFrom(ctx context.Context, body io.Reader, size int64, chunk []byte) error {
	for u.offset < size {
		n, err := io.ReadFull(body, chunk[:min(int64(len(chunk)), size-u.offset)])
		if err == nil {
			err = u.Send(ctx, chunk[:n])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
