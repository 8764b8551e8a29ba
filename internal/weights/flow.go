package weights

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// sink is where a layer goes, in order. A [registry.Upload] is one.
type sink interface {
	Offset() int64 // the next byte that it wants
	Send(ctx context.Context, data []byte) error
}

// maxStalls is how often a sink may want bytes again without getting any further.
const maxStalls = 10

// flow moves one layer.
type flow struct {
	fetcher *fetcher
	hash    *hasher
	sent    func(m mark) error // is called after each chunk
}

// run moves what the sink doesn't have and hashes what isn't hashed, until both
// have all. Neither is ever done twice, but bytes that one of them lacks are
// fetched again where the other is further.
func (f *flow) run(ctx context.Context, to sink) error {
	furthest, tries := to.Offset(), 0
	for f.hash.pos < f.hash.of.Size || to.Offset() < f.hash.of.Size {
		err := f.pass(ctx, to)
		if _, moved := errors.AsType[*registry.OffsetError](err); err != nil && !moved {
			return err
		}
		tries++
		if to.Offset() > furthest {
			furthest, tries = to.Offset(), 0
		}
		if tries >= maxStalls {
			return failure.New(failure.Transient, fmt.Errorf("given up after %d attempts: %w", tries, err))
		}
	}
	return f.hash.err
}

// ahead is how many chunks may be hashed before they can be sent: enough that neither
// waits for a moment of the other. On one stream that was worth 3 %.
const ahead = 2

// pass goes through the layer once: the next chunks are hashed while one is sent.
func (f *flow) pass(ctx context.Context, to sink) error {
	group, ctx := errgroup.WithContext(ctx)
	s := f.fetcher.stream(ctx, f.hash.of, min(f.hash.pos, to.Offset()), to.Offset())
	defer s.stop()
	hashed := make(chan *chunk, ahead)
	group.Go(func() error {
		defer close(hashed)
		return f.hashAll(ctx, s, hashed)
	})
	group.Go(func() error {
		for c := range hashed {
			err := f.send(ctx, c, to)
			s.release(c)
			if err != nil {
				return err
			}
		}
		return nil
	})
	err := group.Wait()
	for c := range hashed { // nobody sent them
		s.release(c)
	}
	return errors.Join(err, f.hash.err)
}

// hashAll hashes a stream's chunks and hands them on, up to the first one that is
// wrong. Then the chunk before is sent to its end: a registry that is busy with one
// that was cut off doesn't let the upload be cancelled.
func (f *flow) hashAll(ctx context.Context, s *stream, hashed chan<- *chunk) error {
	for {
		c, err := s.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.hash.write(c.start, c.data) != nil {
			s.release(c)
			return nil
		}
		c.mark = f.hash.mark()
		select {
		case hashed <- c:
		case <-ctx.Done():
			s.release(c)
			return context.Cause(ctx)
		}
	}
}

// send sends what the sink doesn't have of a chunk.
func (f *flow) send(ctx context.Context, c *chunk, to sink) error {
	at := to.Offset()
	if at >= c.end() {
		return nil
	}
	if at < c.start {
		return &registry.OffsetError{Offset: at}
	}
	if err := to.Send(ctx, c.data[at-c.start:]); err != nil {
		return err
	}
	return f.sent(c.mark)
}
