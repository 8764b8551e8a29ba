// Package blobs opens a directory of blobs as a content store that several
// processes may use at once.
//
// The store of containerd alone is made for one process: two writers of one
// reference in two processes would write into one file. Here every opening
// has a name space of its own for what it is writing, and a shared lease on
// the directory. Who gets the lease alone may clean up: nobody is in the middle of
// anything then. A process that is killed loses its lease with its life, and
// the next cleanup removes what it left half-written.
//
// What lies in the directory may be somebody else's doing, so no link in it is followed,
// see [beneath]: the store of containerd only writes, by paths that were looked at.
package blobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
)

const (
	blobsName  = "blobs"
	ingestName = "ingest"
	leaseName  = ".lease"
)

var _ content.Store = (*Store)(nil)

// Store is an open directory of blobs. Close it when the build is done.
type Store struct {
	content.Store

	root  *os.Root
	token string // before every reference that this opening writes to
	lease *atomicfile.Lock
}

// errRemoved says that a store was discarded while it was opened.
var errRemoved = errors.New("somebody else keeps removing it")

// openings is how often a store is opened that others discard meanwhile.
const openings = 10

// Open opens the store in a directory that the user named, or that is Lamina's own,
// making it where there is none.
func Open(ctx context.Context, dir string) (*Store, error) { return OpenAt(ctx, beneath.Typed(dir)) }

// OpenAt opens the store in a place, making the directory where there is none.
func OpenAt(ctx context.Context, place beneath.Place) (s *Store, err error) {
	err = errRemoved
	for n := 0; n < openings && errors.Is(err, errRemoved); n++ {
		s, err = open(ctx, place)
	}
	if err != nil {
		return nil, fmt.Errorf("opening store %q: %w", place, err)
	}
	return s, nil
}

func open(ctx context.Context, place beneath.Place) (*Store, error) {
	root, err := place.Make()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errRemoved // while it was made
	}
	if err != nil {
		return nil, err
	}
	s, err := openIn(ctx, root)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func openIn(ctx context.Context, root *os.Root) (*Store, error) {
	err := check(root)
	if err == nil {
		err = checkBlobs(root)
	}
	if err != nil {
		return nil, err
	}
	lease, err := atomicfile.OpenLock(root, leaseName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errRemoved
	}
	if err != nil {
		return nil, err
	}
	inner, err := local.NewStore(root.Name())
	if err == nil {
		err = lease.Shared(ctx)
	}
	if err == nil && lease.Gone() {
		err = errRemoved
	}
	if err != nil {
		return nil, errors.Join(err, lease.Close())
	}
	return &Store{Store: inner, root: root, token: rand.Text() + "/", lease: lease}, nil
}

// OpenToRead opens a store that is there, to read it: nothing in its directory changes, which
// need not be writable, nor does anything keep others from cleaning up it.
func OpenToRead(place beneath.Place) (*Store, error) {
	root, err := place.Open()
	if err == nil {
		if err = errors.Join(check(root), checkBlobs(root)); err == nil {
			return &Store{root: root}, nil
		}
		err = errors.Join(err, root.Close())
	}
	return nil, fmt.Errorf("opening store %q: %w", place, err)
}

// Dir opens the directory, for what else is kept in it.
func (s *Store) Dir() (*os.Root, error) { return s.root.OpenRoot(".") }

// check refuses a directory in which something else than directories is where directories
// should be, and one that its path no longer leads to.
func check(root *os.Root) error {
	here, err := root.Stat(".")
	if err != nil {
		return err
	}
	if there, err := os.Stat(root.Name()); err != nil || !os.SameFile(here, there) {
		return errRemoved
	}
	for _, name := range []string{path.Join(blobsName, string(digest.SHA256)), ingestName} {
		if err := beneath.CheckDir(root, name); err != nil {
			return err
		}
	}
	return nil
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
	for _, name := range []string{blobsName, ingestName, leaseName} {
		err = errors.Join(err, s.root.RemoveAll(name))
	}
	return errors.Join(err, s.lease.Close(), s.root.Close())
}

// Close drops what this opening left unfinished, and the lease.
func (s *Store) Close() error {
	if s.lease == nil { // it was opened to be read
		return s.root.Close()
	}
	err := s.dropIngests(func(ref string) bool { return strings.HasPrefix(ref, s.token) })
	if s.lease.TryExclusive() == nil {
		// An OCI layout has no such directory. It goes only if it is empty.
		_ = s.root.Remove(ingestName)
	}
	return errors.Join(err, s.lease.Close(), s.root.Close())
}

// Writer begins to write a blob under a reference of this opening.
func (s *Store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	if s.Store == nil {
		return nil, fmt.Errorf("store %q was opened to be read: %w", s.root.Name(), errdefs.ErrPermissionDenied)
	}
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Ref != "" { // an empty one is the inner store's to refuse
		o.Ref = s.token + o.Ref
	}
	if err := check(s.root); err != nil {
		return nil, err
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
	if err := check(s.root); err != nil {
		return err
	}
	return s.Store.Abort(ctx, s.token+ref)
}
