package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"
)

// Commit ends the upload: the registry checks the digest and keeps the blob. An
// answer that gets lost on the way is found out about by looking for the blob.
//
// Errors: [ErrCorrupt] if the registry has other bytes, [ErrForgotten] if it
// doesn't know the upload, and has no such blob either.
func (u *Upload) Commit(ctx context.Context, d digest.Digest) error {
	if err := u.commit(ctx, d); err != nil {
		return u.repo.explain(fmt.Errorf("committing blob %s to %q: %w", d, u.repo.Name(), err))
	}
	return nil
}

func (u *Upload) commit(ctx context.Context, d digest.Digest) error {
	for p, q := u.repo.pause(), u.closing(d); ; {
		a, err := u.repo.once(ctx, q)
		if err == nil && isAccepted(a.code) {
			return a.check(d)
		}
		if err == nil {
			err = unclosed(a.refusal(q))
		}
		if isRefused(codeOf(err)) {
			return err
		}
		has, hasErr := u.repo.Has(ctx, d)
		if has {
			return nil
		}
		if hasErr != nil || !mayRetry(err) {
			return errors.Join(err, hasErr)
		}
		if err = p.wait(ctx, a, err); err != nil {
			return err
		}
	}
}

// unclosed says what a refusal to end an upload means.
func unclosed(refusal *StatusError) error {
	switch refusal.Code {
	case http.StatusBadRequest, http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: %w", ErrCorrupt, refusal)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrForgotten, refusal)
	}
	return refusal
}

// closing is the request that ends an upload. The location is used as the
// registry gave it: its query may be signed.
func (u *Upload) closing(d digest.Digest) request {
	location := *u.location
	if location.RawQuery != "" {
		location.RawQuery += "&"
	}
	location.RawQuery += "digest=" + url.QueryEscape(d.String())
	return request{method: http.MethodPut, url: location.String(), patience: u.repo.opts.Finish}
}

// check compares a digest with the one that the registry says it stored. It may
// be one of another algorithm, which says nothing.
func (a *answer) check(d digest.Digest) error {
	got := digest.Digest(a.header.Get("Docker-Content-Digest"))
	if got.Validate() == nil && got.Algorithm() == d.Algorithm() && got != d {
		return fmt.Errorf("%w: it stored %s and not %s", ErrCorrupt, got, d)
	}
	return nil
}
