package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// Stream sends the whole blob in one request without a range, as docker push
// does, for registries that take no chunks. The upload has to be a new one;
// [Upload.Commit] ends it. size is in bytes and has to be right.
//
// What breaks off can't be gone on with: the error has the kind
// [failure.Transient] then, and another attempt needs another upload and another
// body. An error of the body itself is in the one returned, and one about the
// size is a [*TooLargeError]. The body isn't read any more when Stream returns,
// which waits for a read that is under way.
func (u *Upload) Stream(ctx context.Context, size int64, body io.Reader) error {
	q := request{method: http.MethodPatch, url: u.Location(), body: body, size: size, ask: true, answerTimeout: u.repo.opts.Finish}
	a, err := u.repo.once(ctx, q)
	if err == nil && isAccepted(a.code) {
		u.offset = size
		return u.move(a)
	}
	if err == nil {
		err = u.repo.tooLarge(a, size, a.refusal(q))
	}
	return u.repo.explain(fmt.Errorf("sending a blob to %q: %w", u.repo.Name(), err))
}

// Whole uploads a blob whose digest is known, in one request, and commits it.
// It is the way that every registry knows. Errors are those of [Upload.Stream]
// and of [Upload.Commit].
func (r *Repository) Whole(ctx context.Context, d digest.Digest, size int64, body io.Reader) error {
	left := &io.LimitedReader{R: body, N: size}
	err := r.whole(ctx, d, size, left)
	if mayRetry(err) && left.N == 0 {
		err = r.await(ctx, d, err)
	}
	if err != nil {
		return r.explain(fmt.Errorf("uploading blob %s to %q: %w", d, r.Name(), err))
	}
	return nil
}

func (r *Repository) whole(ctx context.Context, d digest.Digest, size int64, body io.Reader) error {
	u, err := r.Start(ctx)
	if err != nil {
		return err
	}
	q := u.closing(d)
	q.body, q.size, q.ask = body, size, size > smallest
	a, err := r.once(ctx, q)
	switch {
	case err != nil:
		return err
	case !isAccepted(a.code):
		return r.tooLarge(a, size, unclosed(a.refusal(q)))
	}
	return a.check(d)
}

// await looks for a blob that was sent to its end and never answered: the
// registry may still be busy with it.
func (r *Repository) await(ctx context.Context, d digest.Digest, cause error) error {
	return r.Retry().Try(ctx, func() error {
		has, err := r.Has(ctx, d)
		if err != nil || has {
			return err
		}
		return cause
	})
}

// tooLarge names the size of a blob that was refused for it.
func (r *Repository) tooLarge(a *answer, size int64, refusal error) error {
	if a.code == http.StatusRequestEntityTooLarge {
		return &TooLargeError{Registry: r.name.RegistryStr(), Bytes: size}
	}
	return refusal
}
