package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/content"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
)

// Removed counts what a cleanup removed.
type Removed struct {
	Blobs int
	Bytes int64
	Busy  bool // the store is open elsewhere: nothing was checked
}

// Cleanup removes the blobs that keep does not claim, and what killed processes left
// half-written. It does nothing while the directory is open elsewhere, so that it never
// removes what another build has just written and not yet named. Nothing else may write
// through s during the cleanup.
func (s *Store) Cleanup(ctx context.Context, keep func(content.Info) bool) (Removed, error) {
	removed, err := s.alone(ctx, func() (Removed, error) { return s.cleanup(ctx, keep) })
	if err != nil {
		return removed, fmt.Errorf("cleaning up store %q: %w", s.root.Name(), err)
	}
	return removed, nil
}

// alone runs f while holding the lease exclusively.
func (s *Store) alone(ctx context.Context, f func() (Removed, error)) (Removed, error) {
	var removed Removed
	err := s.lease.TryExclusive()
	if err == nil {
		removed, err = f()
	}
	if errors.Is(err, atomicfile.ErrBusy) {
		removed, err = Removed{Busy: true}, nil
	}
	// An exclusive try may have lost the shared lock.
	return removed, errors.Join(err, s.lease.Shared(context.WithoutCancel(ctx)))
}

func (s *Store) cleanup(ctx context.Context, keep func(content.Info) bool) (removed Removed, err error) {
	err = s.dropIngests(func(ref string) bool { return !strings.HasPrefix(ref, s.token) })
	if err != nil {
		return removed, err
	}
	var drop []content.Info
	err = s.Walk(ctx, func(info content.Info) error {
		if !keep(info) {
			drop = append(drop, info)
		}
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no blob was ever written
		return removed, err
	}
	for _, info := range drop {
		if err = s.Delete(ctx, info.Digest); err != nil {
			return removed, err
		}
		removed.Blobs++
		removed.Bytes += info.Size
	}
	return removed, nil
}

// dropIngests removes the unfinished writes whose reference is chosen. One without a
// readable reference was interrupted at its very start: a cleanup removes it, too, by
// choosing the empty reference.
func (s *Store) dropIngests(chosen func(ref string) bool) error {
	ingests, err := beneath.Dir(s.root, ingestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	found, err := fs.ReadDir(ingests.FS(), ".")
	errs := []error{err}
	for _, e := range found {
		if chosen(refOf(ingests, e.Name())) {
			errs = append(errs, ingests.RemoveAll(e.Name()))
		}
	}
	return errors.Join(append(errs, ingests.Close())...)
}

// refOf returns the reference of an unfinished write, "" if there is none.
func refOf(ingests *os.Root, name string) string {
	at, err := beneath.Dir(ingests, name)
	if err != nil {
		return ""
	}
	ref, _ := beneath.ReadFile(at, "ref")
	_ = at.Close() // nothing was written
	return string(ref)
}
