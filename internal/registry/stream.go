package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// Stream sends the whole blob in one request without a range, as docker push
// does, for registries that accept no chunks. The upload must be a new one;
// [Upload.Commit] ends it. size is in bytes and must be exact.
//
// An interrupted stream can't be resumed: the error then has the kind
// [failure.Transient], and another attempt needs another upload and another
// body. The returned error wraps an error of the body, and is a [*TooLargeError]
// if the size was refused. The body is no longer read when Stream returns, which
// waits for a read in progress.
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
// Every registry supports this. Errors are those of [Upload.Stream] and of
// [Upload.Commit].
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

// await looks for a blob that was sent completely without an answer: the registry
// may still be processing it.
func (r *Repository) await(ctx context.Context, d digest.Digest, cause error) error {
	return r.Retry().Try(ctx, func() error {
		has, err := r.Has(ctx, d)
		if err != nil || has {
			return err
		}
		return cause
	})
}

// tooLarge adds the size of a blob that was refused for it.
func (r *Repository) tooLarge(a *answer, size int64, refusal error) error {
	if a.code == http.StatusRequestEntityTooLarge {
		return &TooLargeError{Registry: r.name.RegistryStr(), Bytes: size}
	}
	return refusal
}
