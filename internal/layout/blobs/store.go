// Package blobs opens a directory of blobs as a content store that several
// processes may use at once.
//
// The store of containerd alone is made for one process: two writers of one
// reference in two processes would write to the same file. Here every opening
// has its own namespace for what it is writing, and a shared lease on the
// directory. Whoever holds the lease exclusively may clean up: nothing is being
// written then. A process that is killed loses its lease, and the next cleanup
// removes what it left half-written.
//
// Others may have written to the directory, so no link in it is followed, see
// [beneath]: the store of containerd only writes, to paths that were checked.
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
	token string // prefix of every reference that this opening writes to
	lease *atomicfile.Lock
}

// errRemoved means that a store was discarded while it was opened.
var errRemoved = errors.New("another process keeps removing it")

// openings limits the attempts to open a store that others keep discarding.
const openings = 10

// Open opens the store in a directory that the user named, or that is Lamina's own,
// creating it if needed.
func Open(ctx context.Context, dir string) (*Store, error) { return OpenAt(ctx, beneath.Typed(dir)) }

// OpenAt opens the store in a place, creating the directory if needed.
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

// OpenToRead opens an existing store for reading: it changes nothing in the directory, which
// need not be writable, and doesn't prevent others from cleaning it up.
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

// check refuses a directory with anything but directories where the store has directories,
// and one that its path no longer leads to.
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

// Discard closes s and removes the store, if nobody else has it open and agree, which is
// called when nobody can open it any more, returns true.
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

// Close drops the unfinished writes of this opening, and the lease.
func (s *Store) Close() error {
	if s.lease == nil { // opened for reading
		return s.root.Close()
	}
	err := s.dropIngests(func(ref string) bool { return strings.HasPrefix(ref, s.token) })
	if s.lease.TryExclusive() == nil {
		// An OCI layout has no such directory. Only an empty one is removed.
		_ = s.root.Remove(ingestName)
	}
	return errors.Join(err, s.lease.Close(), s.root.Close())
}

// Writer starts writing a blob under a reference of this opening.
func (s *Store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	if s.Store == nil {
		return nil, fmt.Errorf("store %q was opened for reading: %w", s.root.Name(), errdefs.ErrPermissionDenied)
	}
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Ref != "" { // the inner store refuses an empty one
		o.Ref = s.token + o.Ref
	}
	if err := check(s.root); err != nil {
		return nil, err
	}
	return s.Store.Writer(ctx, content.WithRef(o.Ref), content.WithDescriptor(o.Desc))
}

// Status returns the progress of the write under ref.
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

// Abort drops the write under ref.
func (s *Store) Abort(ctx context.Context, ref string) error {
	if err := check(s.root); err != nil {
		return err
	}
	return s.Store.Abort(ctx, s.token+ref)
}
