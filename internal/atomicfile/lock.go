package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

// pollEvery is the interval between tries of a lock: a blocking flock ignores a context.
const pollEvery = 10 * time.Millisecond

// Exclusive waits until this process alone holds the lock file at path, which it creates if
// necessary. Closing the lock releases it, and so does the end of the process. The file
// stays: removing it would let two processes lock two files of one name.
func Exclusive(ctx context.Context, path string) (*flock.Flock, error) {
	return acquire(ctx, path, (*flock.Flock).TryLockContext)
}

// Shared waits until this process holds the lock file at path together with other sharers.
func Shared(ctx context.Context, path string) (*flock.Flock, error) {
	return acquire(ctx, path, (*flock.Flock).TryRLockContext)
}

func acquire(
	ctx context.Context, path string, take func(*flock.Flock, context.Context, time.Duration) (bool, error),
) (*flock.Flock, error) {
	l := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE))
	_, err := take(l, ctx, pollEvery)
	if err == nil {
		return l, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, fmt.Errorf("locking %q: %w", path, err)
}

// Held reports whether the lock file at path is held exclusively.
func Held(path string) (bool, error) {
	l := flock.New(path, flock.SetFlag(os.O_RDWR))
	free, err := l.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return !free, errors.Join(err, l.Close())
}

// ErrBusy means that another holder prevents taking the lock.
var ErrBusy = errors.New("somebody else holds the lock")

// Lock is the lock of an open file or directory. gofrs/flock opens what it locks by path,
// through links, and doesn't convert one kind of lock to the other; files below an
// [os.Root] and a store's lease need better.
type Lock struct{ file *os.File }

// OpenLock opens the lock file name in root, creating it if necessary, and follows no
// link. It takes no lock yet.
func OpenLock(root *os.Root, name string) (*Lock, error) {
	f, err := beneath.File(root, name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return &Lock{file: f}, nil
}

// Gone reports whether the file has lost its name. A lock file may be removed only while
// holding its lock, so check again after getting a lock.
func (l *Lock) Gone() bool {
	here, err := os.Lstat(l.file.Name())
	if err != nil {
		return true
	}
	mine, err := l.file.Stat()
	return err != nil || !os.SameFile(here, mine)
}

// Shared waits until it holds the lock together with other sharers.
func (l *Lock) Shared(ctx context.Context) error { return l.wait(ctx, unix.LOCK_SH) }

// Exclusive waits until it alone holds the lock.
func (l *Lock) Exclusive(ctx context.Context) error { return l.wait(ctx, unix.LOCK_EX) }

// TryExclusive takes the lock exclusively, or returns [ErrBusy] at once. It may lose a
// shared lock that l held: take it again.
func (l *Lock) TryExclusive() error { return l.try(unix.LOCK_EX) }

// Close releases the lock.
func (l *Lock) Close() error { return l.file.Close() }

func (l *Lock) wait(ctx context.Context, how int) error {
	err := l.try(how)
	for errors.Is(err, ErrBusy) {
		if err = failure.Pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting for lock %q: %w", l.file.Name(), err)
		}
		err = l.try(how)
	}
	return err
}

func (l *Lock) try(how int) error {
	for {
		err := unix.Flock(int(l.file.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrBusy
		case err != nil:
			return fmt.Errorf("locking %q: %w", l.file.Name(), err)
		}
		return nil
	}
}
