package weights

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// rounds is how often an upload is started that the registry loses or corrupts.
const rounds = 3

// upload moves one layer into a repository.
type upload struct {
	flow

	repo   *registry.Repository
	record *record
	at     func(from, bytes int64) // called with the progress of the upload
	from   int64                   // where an earlier run left it
}

// run sends the layer and returns its digest. It checks every file of it before committing
// anything; an upload with a wrong file is not resumed.
func (u *upload) run(ctx context.Context) (d digest.Digest, err error) {
	for range rounds {
		err = u.round(ctx)
		switch {
		case err == nil:
			return u.hash.digest(), u.record.drop()
		case errors.Is(err, registry.ErrCorrupt), errors.Is(err, errUnlike):
			// Hashing each file shows which side is wrong.
			u.hash.reset()
		case errors.Is(err, registry.ErrForgotten):
		default:
			return "", err
		}
		if dropErr := u.record.drop(); dropErr != nil {
			return "", dropErr
		}
	}
	return "", fmt.Errorf("gave up after %d uploads: %w", rounds, err)
}

func (u *upload) round(ctx context.Context) error {
	if u.repo.Limits().NoChunks {
		return u.unchunked(ctx)
	}
	up, err := u.begin(ctx)
	if err != nil {
		return err
	}
	if up.ChunkMin() > int64(u.fetcher.pool.size) {
		err = registry.ErrNoChunks
	} else {
		u.sent = func(m mark) error {
			u.at(u.from, up.Offset())
			return u.record.save(up.Location(), m)
		}
		err = u.flow.run(ctx, up)
	}
	if isMismatch(err) || errors.Is(err, errUnlike) || errors.Is(err, registry.ErrNoChunks) {
		up.Cancel(context.WithoutCancel(ctx))
		err = errors.Join(err, u.record.drop())
	}
	switch {
	case errors.Is(err, registry.ErrNoChunks):
		return u.unchunked(ctx)
	case err != nil:
		return err
	}
	return up.Commit(ctx, u.hash.digest())
}

// begin resumes the upload in the journal, or starts one.
func (u *upload) begin(ctx context.Context) (*registry.Upload, error) {
	if u.record.Location != "" {
		up, err := u.repo.Resume(ctx, u.record.Location)
		if err == nil && up.Offset() <= u.hash.of.Size {
			return up, u.resume(up)
		}
		if err != nil && !errors.Is(err, registry.ErrForgotten) {
			return nil, err
		}
		if err := u.record.drop(); err != nil {
			return nil, err
		}
	}
	up, err := u.repo.Start(ctx)
	if err != nil {
		return nil, err
	}
	u.from = 0
	u.at(0, 0)
	return up, u.record.save(up.Location(), mark{})
}

// resume continues hashing from the newest mark. What the registry has beyond that is
// fetched again, but only hashed.
func (u *upload) resume(up *registry.Upload) error {
	u.from = up.Offset()
	u.at(u.from, u.from)
	m := u.record.newest(up.Offset())
	if m.Offset == 0 || u.hash.pos > 0 || u.hash.resume(m) == nil {
		return nil
	}
	return u.record.drop() // it can't be read, so everything is hashed again
}

func isMismatch(err error) bool {
	_, is := errors.AsType[*MismatchError](err)
	return is
}

// unchunked sends the layer in one request: like docker push, with the digest at the
// end, or else with the digest first.
func (u *upload) unchunked(ctx context.Context) error {
	err := u.repo.Retry().Try(ctx, func() error { return u.streamed(ctx) })
	if _, refused := errors.AsType[*registry.StatusError](err); !refused || failure.KindOf(err) != failure.Failure {
		return err
	}
	u.sent = func(mark) error { return nil }
	if err := u.flow.run(ctx, &fullSink{u.hash.of.Size}); err != nil {
		return err
	}
	return u.repo.Retry().Try(ctx, func() error { return u.whole(ctx) })
}

// streamed sends the layer while hashing it.
func (u *upload) streamed(ctx context.Context) error {
	up, err := u.repo.Start(ctx)
	if err != nil {
		return err
	}
	err = u.pipe(ctx, func(body io.Reader) error { return up.Stream(ctx, u.hash.of.Size, body) })
	if err != nil {
		up.Cancel(context.WithoutCancel(ctx))
		return err
	}
	return up.Commit(ctx, u.hash.digest())
}

// whole sends the layer after hashing it.
func (u *upload) whole(ctx context.Context) error {
	return u.pipe(ctx, func(body io.Reader) error { return u.repo.Whole(ctx, u.hash.digest(), u.hash.of.Size, body) })
}

// pipe has put read the layer from its first byte. If put doesn't read all of it, the
// flow ends, too.
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

// pipeSink is a sink that is read by a reader.
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

// fullSink is a sink that has everything: bytes are only hashed.
type fullSink struct{ size int64 }

func (s *fullSink) Offset() int64 { return s.size }

func (s *fullSink) Send(context.Context, []byte) error { return nil }
