package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's hash, by which the hub identifies files
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/lock"
)

// ErrNoMatch means that patterns select no file of a model.
var ErrNoMatch = errors.New("no file matches the patterns")

// Match selects files by the patterns of a .dockerignore, as [layers.Select] does.
// Selecting no file and an invalid pattern are errors of the kind [failure.Usage].
func Match(files []File, include, exclude []string) ([]File, error) {
	byPath := make(map[string]File, len(files))
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i], byPath[f.Path] = f.Path, f
	}
	selected, err := layers.Select(paths, include, exclude)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	if len(selected) == 0 && len(files) > 0 {
		err := failure.New(failure.Usage, ErrNoMatch)
		return nil, failure.WithHint(err, fmt.Sprintf("there are %d files, such as %q", len(files), files[0].Path))
	}
	matched := make([]File, len(selected))
	for i, name := range selected {
		matched[i] = byPath[name]
	}
	return matched, nil
}

// sideBySide is how many files are fetched at once, as snapshot_download of
// huggingface_hub does.
const sideBySide = 8

// Lock returns the files with the SHA-256 of each. It fetches those without one and
// compares them with their git hashes: the error is a [fetch.MismatchError] if they
// differ. It keeps no file in memory, whatever its size.
func (c *Client) Lock(ctx context.Context, files []File) ([]lock.ModelFile, error) {
	locked := make([]lock.ModelFile, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, f := range files {
		locked[i] = f.ModelFile
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
	body, err := c.Open(ctx, f.ModelFile, 0, f.Size)
	if err != nil {
		return "", err
	}
	sum, blob := sha256.New(), sha1.New()           //nolint:gosec // as above
	_, _ = fmt.Fprintf(blob, "blob %d\x00", f.Size) // a hash never fails
	_, err = io.Copy(io.MultiWriter(sum, blob), body)
	if err = errors.Join(err, body.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(blob.Sum(nil)); f.GitOID != "" && got != f.GitOID {
		return "", mismatch(f.ModelFile, "git hash", f.GitOID, got)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
