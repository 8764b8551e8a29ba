package weights

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/registry"
)

// rounds is how often an upload begins anew that the registry lost or spoilt.
const rounds = 3

// upload brings one layer into a repository.
type upload struct {
	flow

	repo   *registry.Repository
	record *record
	wait   time.Duration
	at     func(from, bytes int64) // is told how far the upload is
	from   int64                   // where an earlier run left it
}

// run sends the layer and returns its digest. What a file of it isn't is an
// error before anything is committed, and nobody goes on with such an upload.
func (u *upload) run(ctx context.Context) (d digest.Digest, err error) {
	for range rounds {
		err = u.round(ctx)
		switch {
		case err == nil:
			return u.hash.digest(), u.record.drop()
		case errors.Is(err, registry.ErrCorrupt), errors.Is(err, errUnlike):
			// Whoever is wrong shows when each file is hashed.
			u.hash.reset()
		case errors.Is(err, registry.ErrForgotten):
		default:
			return "", err
		}
		if dropErr := u.record.drop(); dropErr != nil {
			return "", dropErr
		}
	}
	return "", fmt.Errorf("given up after %d uploads: %w", rounds, err)
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

// begin goes on with the upload that the journal knows, or starts one.
func (u *upload) begin(ctx context.Context) (*registry.Upload, error) {
	if u.record.Location != "" {
		up, err := u.repo.Resume(ctx, u.record.Location)
		if err == nil && up.Offset() <= u.tape.size {
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

// resume goes on hashing from what was written down last. What the registry has
// beyond that is fetched again, and hashed only.
func (u *upload) resume(up *registry.Upload) error {
	u.from = up.Offset()
	u.at(u.from, u.from)
	m := u.record.newest(up.Offset())
	if m.Offset == 0 || u.hash.pos > 0 || u.hash.resume(m) == nil {
		return nil
	}
	return u.record.drop() // it can't be read, so all is hashed again
}

func isMismatch(err error) bool {
	_, is := errors.AsType[*MismatchError](err)
	return is
}
