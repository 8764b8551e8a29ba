package weights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"lamina.build/lock"
)

// fetcher fetches the bytes of all layers of a job.
type fetcher struct {
	source Source
	pool   *pool
	turns  chan struct{} // one for each piece that may be fetched at once
}

func newFetcher(j Job) *fetcher {
	return &fetcher{j.Source, newPool(j.Buffers, j.Chunk), make(chan struct{}, j.Fetches)}
}

// fill fetches all bytes of a chunk: the small files in it in parallel.
func (f *fetcher) fill(ctx context.Context, l *Layer, c *chunk) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(f.turns))
	for p := range l.pieces(c.start, c.end()) {
		into := c.data[p.at : p.at+p.size]
		if p.part.File == "" {
			copy(into, p.part.Bytes[p.offset:])
			continue
		}
		group.Go(func() error { return f.fetch(ctx, l.Files[p.part.File], p.offset, into) })
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

// chunk is a range of a layer in a buffer.
type chunk struct {
	start int64
	data  []byte
	mark  mark       // the state of the hashes after this chunk
	ready chan error // gets one value when the bytes are there
}

func (c *chunk) end() int64 { return c.start + int64(len(c.data)) }

// stream delivers a layer's chunks in order, and fetches those to come as far as there
// are buffers.
type stream struct {
	fetcher *fetcher
	chunks  chan *chunk
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// stream starts at byte from of the layer. No chunk crosses the byte border, where the
// upload continues, with a chunk of full size.
func (f *fetcher) stream(ctx context.Context, l *Layer, from, border int64) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{fetcher: f, chunks: make(chan *chunk, f.pool.buffers()), cancel: cancel}
	s.running.Go(func() {
		defer close(s.chunks)
		for from < l.Size {
			c, err := f.next(ctx, l, from, border)
			if err != nil {
				return // only because the stream was stopped
			}
			s.chunks <- c // there is room for all buffers
			s.running.Go(func() { c.ready <- f.fill(ctx, l, c) })
			from = c.end()
		}
	})
	return s
}

// next waits for a buffer and prepares a chunk in it.
func (f *fetcher) next(ctx context.Context, l *Layer, from, border int64) (*chunk, error) {
	buffer, err := f.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	size := min(int64(len(buffer)), l.Size-from)
	if from < border {
		size = min(size, border-from)
	}
	return &chunk{start: from, data: buffer[:size], ready: make(chan error, 1)}, nil
}

// next waits for the next chunk, which the caller releases. The error is io.EOF
// at the end.
func (s *stream) next(ctx context.Context) (*chunk, error) {
	c, ok := <-s.chunks
	switch {
	case ctx.Err() != nil && !ok:
		return nil, context.Cause(ctx)
	case !ok:
		return nil, io.EOF
	}
	if err := <-c.ready; err != nil {
		s.release(c)
		return nil, err
	}
	return c, nil
}

func (s *stream) release(c *chunk) { s.fetcher.pool.give(c.data) }

// stop waits until no buffer is written to any more, and returns those of the remaining
// chunks.
func (s *stream) stop() {
	s.cancel()
	s.running.Wait()
	for c := range s.chunks {
		s.release(c)
	}
}

// pool lends a limited number of buffers of one size. It allocates one on first use, so
// that a small model takes little memory, and reuses the last one returned first: it may
// be in the processor's cache.
type pool struct {
	size  int
	turns chan struct{} // one for each buffer that may be taken

	mu   sync.Mutex
	free [][]byte
}

func newPool(buffers, size int) *pool {
	p := &pool{size: size, turns: make(chan struct{}, buffers)}
	for range buffers {
		p.turns <- struct{}{}
	}
	return p
}

// buffers returns the maximum number of buffers.
func (p *pool) buffers() int { return cap(p.turns) }

// take waits for a buffer.
func (p *pool) take(ctx context.Context) ([]byte, error) {
	select {
	case <-p.turns:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return make([]byte, p.size), nil
	}
	b := p.free[last]
	p.free = p.free[:last]
	return b, nil
}

// give returns a buffer, or a shortened slice of it.
func (p *pool) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b[:p.size])
	p.turns <- struct{}{} // there is room: it was taken
}
