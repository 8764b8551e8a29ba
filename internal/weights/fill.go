package weights

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"lamina.build/lock"
)

// fetcher gets the bytes of all layers of a job.
type fetcher struct {
	source Source
	pool   *pool
	turns  chan struct{} // one for each piece that may be fetched at once
}

func newFetcher(j Job) *fetcher {
	return &fetcher{j.Source, newPool(j.Buffers, j.Chunk), make(chan struct{}, j.Fetches)}
}

// fill gets all bytes of a chunk: the small files in it side by side.
func (f *fetcher) fill(ctx context.Context, t *tape, c *chunk) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(f.turns))
	for p := range t.pieces(c.start, c.end()) {
		into := c.data[p.at : p.at+p.size]
		if p.part.File == "" {
			copy(into, p.part.Bytes[p.offset:])
			continue
		}
		group.Go(func() error { return f.fetch(ctx, t.files[p.part.File], p.offset, into) })
	}
	return group.Wait()
}

func (f *fetcher) fetch(ctx context.Context, file lock.ModelFile, offset int64, into []byte) (err error) {
	select {
	case f.turns <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.turns }()
	r, err := f.source.Open(ctx, file, offset, int64(len(into)))
	if err != nil {
		return fmt.Errorf("fetching %q: %w", file.Path, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if _, err = io.ReadFull(r, into); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("fetching %q from byte %d: %w", file.Path, offset, err)
	}
	return nil
}
