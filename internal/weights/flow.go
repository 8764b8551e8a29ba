package weights

import (
	"cmp"
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/registry"
)

// sink receives a layer, in order. A [registry.Upload] is one.
type sink interface {
	Offset() int64 // the next byte that it expects
	Send(ctx context.Context, data []byte) error
}

// flow moves one layer.
type flow struct {
	fetcher *fetcher
	hash    *hasher
	sent    func(m mark) error // called after each chunk
}

// run moves what the sink lacks and hashes what isn't hashed, until both have all.
// Neither does anything twice, but bytes that one of them lacks are fetched again if
// the other is ahead.
func (f *flow) run(ctx context.Context, to sink) error {
	done := func() bool { return min(f.hash.pos, to.Offset()) >= f.hash.of.Size }
	err := registry.Passes(to.Offset, done, func() error { return f.pass(ctx, to) })
	return cmp.Or(err, f.hash.err)
}

// ahead is how many chunks may be hashed before they are sent: enough that neither waits
// for short pauses of the other. On one stream that gained 3 %.
const ahead = 2

// pass goes through the layer once, hashing the next chunks while one is sent.
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
	for c := range hashed { // not sent
		s.release(c)
	}
	return errors.Join(err, f.hash.err)
}

// hashAll hashes a stream's chunks and passes them on, up to the first wrong one. The
// chunk before that is still sent completely: a registry that is processing a truncated
// one doesn't let the upload be cancelled.
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

// send sends the part of a chunk that the sink lacks.
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
