package readback

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// sharedStore writes each blob to all of its stores that lack it.
type sharedStore struct {
	content.Store // the first

	all []content.Store
}

func share(all []content.Store) content.Store {
	if len(all) == 1 {
		return all[0]
	}
	return sharedStore{all[0], all}
}

// Info returns an error unless all stores have the blob.
func (s sharedStore) Info(ctx context.Context, d digest.Digest) (info content.Info, err error) {
	for _, one := range s.all {
		if info, err = one.Info(ctx, d); err != nil {
			return info, err
		}
	}
	return info, nil
}

// Abort cancels the ingestion of a blob.
func (s sharedStore) Abort(ctx context.Context, ref string) error {
	problems := make([]error, 0, len(s.all))
	for _, one := range s.all {
		if err := one.Abort(ctx, ref); !errdefs.IsNotFound(err) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Writer writes a blob to the stores that lack it.
func (s sharedStore) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	o, err := optionsOf(opts)
	if err != nil {
		return nil, err
	}
	var list sharedWriter
	for _, one := range s.all {
		if _, err = one.Info(ctx, o.Desc.Digest); err == nil {
			continue
		}
		w, err := one.Writer(ctx, opts...)
		if errdefs.IsAlreadyExists(err) {
			continue
		}
		if err == nil {
			list, err = append(list, w), w.Truncate(0) // a layout may have part of it
		}
		if err != nil {
			return nil, errors.Join(err, list.Close())
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("blob %s: %w", o.Desc.Digest, errdefs.ErrAlreadyExists)
	}
	return list, nil
}

// sharedWriter writes one blob to several stores.
type sharedWriter []content.Writer

// Write writes the next bytes to each.
func (l sharedWriter) Write(p []byte) (int, error) {
	for _, w := range l {
		if n, err := w.Write(p); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// Close closes each.
func (l sharedWriter) Close() error { return l.each(content.Writer.Close) }

// Truncate truncates each.
func (l sharedWriter) Truncate(size int64) error {
	return l.each(func(w content.Writer) error { return w.Truncate(size) })
}

// Commit commits each.
func (l sharedWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	return l.each(func(w content.Writer) error {
		if err := w.Commit(ctx, size, expected, opts...); !errdefs.IsAlreadyExists(err) {
			return err
		}
		return nil
	})
}

// Digest returns that of the first.
func (l sharedWriter) Digest() digest.Digest { return l[0].Digest() }

// Status returns that of the first, which is that of all.
func (l sharedWriter) Status() (content.Status, error) { return l[0].Status() }

func (l sharedWriter) each(do func(content.Writer) error) error {
	problems := make([]error, len(l))
	for i, w := range l {
		problems[i] = do(w)
	}
	return errors.Join(problems...)
}
