package weights

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// attempts is how often a layer is sent in one piece while the network fails.
const attempts = 4

// unchunked sends the layer in one request: by the way of docker push, whose
// digest comes last, or else by the one that wants the digest first.
func (u *upload) unchunked(ctx context.Context) error {
	err := u.again(ctx, u.streamed)
	if _, refused := errors.AsType[*registry.StatusError](err); !refused || failure.KindOf(err) != failure.Failure {
		return err
	}
	u.sent = func(mark) error { return nil }
	if err := u.flow.run(ctx, &fullSink{u.tape.size}); err != nil {
		return err
	}
	return u.again(ctx, u.whole)
}

// streamed sends the layer while it is hashed.
func (u *upload) streamed(ctx context.Context) error {
	up, err := u.repo.Start(ctx)
	if err != nil {
		return err
	}
	err = u.pipe(ctx, func(body io.Reader) error { return up.Stream(ctx, u.tape.size, body) })
	if err != nil {
		up.Cancel(context.WithoutCancel(ctx))
		return err
	}
	return up.Commit(ctx, u.hash.digest())
}

// whole sends the layer once it is hashed.
func (u *upload) whole(ctx context.Context) error {
	return u.pipe(ctx, func(body io.Reader) error { return u.repo.Whole(ctx, u.hash.digest(), u.tape.size, body) })
}

// pipe has the layer read from its first byte on. A reader that doesn't want all
// of it ends the flow, too.
func (u *upload) pipe(ctx context.Context, put func(body io.Reader) error) error {
	r, w := io.Pipe()
	into := &pipeSink{PipeWriter: w}
	u.sent = func(mark) error {
		u.at(0, into.offset)
		return nil
	}
	u.at(0, 0)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := u.flow.run(ctx, into)
		_ = w.CloseWithError(err) // never fails
		return err
	})
	group.Go(func() error {
		err := put(r)
		_ = r.CloseWithError(err)
		return err
	})
	return group.Wait()
}

// again does something as often as the network may be at fault.
func (u *upload) again(ctx context.Context, do func(context.Context) error) error {
	for n := 0; ; n++ {
		err := do(ctx)
		if failure.KindOf(err) != failure.Transient || n+1 == attempts {
			return err
		}
		if err = failure.Pause(ctx, u.wait<<n); err != nil {
			return err
		}
	}
}

// pipeSink is the sink that ends in a reader.
type pipeSink struct {
	*io.PipeWriter

	offset int64
}

// Offset returns how many bytes went through.
func (s *pipeSink) Offset() int64 { return s.offset }

// Send waits until the bytes are read.
func (s *pipeSink) Send(_ context.Context, data []byte) error {
	n, err := s.Write(data)
	s.offset += int64(n)
	return err
}

// fullSink is a sink that has all: bytes go by and are hashed.
type fullSink struct{ size int64 }

func (s *fullSink) Offset() int64 { return s.size }

func (s *fullSink) Send(context.Context, []byte) error { return nil }
