package weights

import (
	"context"
	"io"
	"sync"
)

// chunk is a stretch of a layer in a buffer.
type chunk struct {
	start int64
	data  []byte
	mark  mark       // what is hashed, this chunk too
	ready chan error // gets one value when the bytes are there
}

func (c *chunk) end() int64 { return c.start + int64(len(c.data)) }

// stream delivers a layer's chunks in order, and fetches those to come meanwhile
// as far as there are buffers.
type stream struct {
	fetcher *fetcher
	chunks  chan *chunk
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// stream begins at one byte of the layer. No chunk crosses the border, which is
// another: there the upload goes on, with a chunk of full size.
func (f *fetcher) stream(ctx context.Context, t *tape, from, border int64) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{fetcher: f, chunks: make(chan *chunk, f.pool.buffers()), cancel: cancel}
	s.running.Go(func() {
		defer close(s.chunks)
		for from < t.size {
			c, err := f.next(ctx, t, from, border)
			if err != nil {
				return // only because the stream was stopped
			}
			s.chunks <- c // there is room for all buffers
			s.running.Go(func() { c.ready <- f.fill(ctx, t, c) })
			from = c.end()
		}
	})
	return s
}

// next waits for a buffer and lays out a chunk in it.
func (f *fetcher) next(ctx context.Context, t *tape, from, border int64) (*chunk, error) {
	buffer, err := f.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	size := min(int64(len(buffer)), t.size-from)
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

// stop waits until nobody writes into a buffer any more, and returns those that
// nobody took.
func (s *stream) stop() {
	s.cancel()
	s.running.Wait()
	for c := range s.chunks {
		s.release(c)
	}
}
