// Package blobstore opens a folder of blobs as a content store that several
// processes may use at once.
//
// The store of containerd alone is made for one process: two writers of one
// reference in two processes would write into one file. Here every opening
// has a name space of its own for what it is writing, and a shared lease on
// the folder. Who gets the lease alone may sweep: nobody is in the middle of
// anything then. A process that is killed loses its lease with its life, and
// the next sweep removes what it left half-written.
package blobstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layout/filelock"
)

const (
	leaseName  = ".lease"
	ingestName = "ingest"
)

var _ content.Store = (*Store)(nil)

// Store is an open folder of blobs. Close it when the build is done.
type Store struct {
	content.Store

	dir   string
	token string // before every reference that this opening writes to
	lease *filelock.Lock
}

// errRemoved says that a store was discarded while it was opened.
var errRemoved = errors.New("somebody else keeps removing it")

// openings is how often a store is opened that others discard meanwhile.
const openings = 10

// Open opens the store in dir, making the folder where there is none.
func Open(ctx context.Context, dir string) (s *Store, err error) {
	err = errRemoved
	for n := 0; n < openings && errors.Is(err, errRemoved); n++ {
		s, err = open(ctx, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening store %q: %w", dir, err)
	}
	return s, nil
}

func open(ctx context.Context, dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // images are meant to be read by others
		return nil, err
	}
	lease, err := filelock.Open(filepath.Join(dir, leaseName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errRemoved
	}
	if err != nil {
		return nil, err
	}
	inner, err := local.NewStore(dir)
	if err == nil {
		err = lease.Shared(ctx)
	}
	if err == nil && lease.Gone() {
		err = errRemoved
	}
	if err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	return &Store{Store: inner, dir: dir, token: rand.Text() + "/", lease: lease}, nil
}

// Discard closes s and removes the store, if nobody else is at work in it and
// agree says so: it is asked when nobody can come any more.
func (s *Store) Discard(agree func() (bool, error)) error {
	if s.lease.TryExclusive() != nil {
		return s.Close()
	}
	agreed, err := agree()
	if err != nil || !agreed {
		return errors.Join(err, s.Close())
	}
	for _, name := range []string{"blobs", ingestName, leaseName} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, name)))
	}
	return errors.Join(err, s.lease.Close())
}

// Close drops what this opening left unfinished, and the lease.
func (s *Store) Close() error {
	err := s.dropIngests(func(ref string) bool { return strings.HasPrefix(ref, s.token) })
	if s.lease.TryExclusive() == nil {
		// An OCI layout has no such folder. It goes only if it is empty.
		_ = os.Remove(filepath.Join(s.dir, ingestName))
	}
	return errors.Join(err, s.lease.Close())
}

// Info tells about a blob, and marks it as used.
func (s *Store) Info(ctx context.Context, dgst digest.Digest) (content.Info, error) {
	info, err := s.Store.Info(ctx, dgst)
	if err == nil {
		s.touch(info)
	}
	return info, err
}

// touch moves a blob's time to now, so that a sweep by age spares it. Once an
// hour is enough and keeps a warm build from writing.
func (s *Store) touch(info content.Info) {
	now := time.Now()
	if now.Sub(info.CreatedAt) > time.Hour {
		_ = os.Chtimes(s.blobPath(info.Digest), now, now) // a folder of somebody else: its owner's sweep decides
	}
}

func (s *Store) blobPath(dgst digest.Digest) string {
	return filepath.Join(s.dir, "blobs", dgst.Algorithm().String(), dgst.Encoded())
}

// Writer begins to write a blob under a reference of this opening.
func (s *Store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Ref != "" { // an empty one is the inner store's to refuse
		o.Ref = s.token + o.Ref
	}
	return s.Store.Writer(ctx, content.WithRef(o.Ref), content.WithDescriptor(o.Desc))
}

// Status tells how far the writing under ref is.
func (s *Store) Status(ctx context.Context, ref string) (content.Status, error) {
	st, err := s.Store.Status(ctx, s.token+ref)
	st.Ref = strings.TrimPrefix(st.Ref, s.token)
	return st, err
}

// ListStatuses lists what this opening is writing.
func (s *Store) ListStatuses(ctx context.Context, filters ...string) ([]content.Status, error) {
	all, err := s.Store.ListStatuses(ctx, filters...)
	var own []content.Status
	for _, st := range all {
		if ref, ok := strings.CutPrefix(st.Ref, s.token); ok {
			st.Ref = ref
			own = append(own, st)
		}
	}
	return own, err
}

// Abort drops what was written under ref.
func (s *Store) Abort(ctx context.Context, ref string) error {
	return s.Store.Abort(ctx, s.token+ref)
}
