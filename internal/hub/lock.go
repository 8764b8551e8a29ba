package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's hash, by which the hub names what it has
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
)

// sideBySide is how many files are fetched at once, as by snapshot_download of
// huggingface_hub.
const sideBySide = 8

// Lock returns the files with the SHA-256 of each. Those that have none yet are
// fetched, and held against what git calls them: a [fetch.MismatchError] where that
// doesn't fit. None is kept in memory, whatever its size.
func (c *Client) Lock(ctx context.Context, files []File) ([]File, error) {
	locked := slices.Clone(files)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, f := range locked {
		if f.SHA256 != "" {
			continue
		}
		group.Go(func() (err error) {
			locked[i].SHA256, err = c.sum(ctx, f)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return locked, nil
}

// sum fetches a file and returns its SHA-256.
func (c *Client) sum(ctx context.Context, f File) (string, error) {
	body, err := c.Reader(ctx, f, 0, f.Size)
	if err != nil {
		return "", err
	}
	sum, blob := sha256.New(), sha1.New()           //nolint:gosec // as above
	_, _ = fmt.Fprintf(blob, "blob %d\x00", f.Size) // a hash takes all
	_, err = io.Copy(io.MultiWriter(sum, blob), body)
	if err = errors.Join(err, body.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(blob.Sum(nil)); f.GitOID != "" && got != f.GitOID {
		return "", mismatch(f, "git hash", f.GitOID, got)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
