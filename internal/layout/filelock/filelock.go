// Package filelock holds an advisory lock on a file. The kernel drops it with
// its process, so that a build that was killed never leaves one behind.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
)

// ErrBusy says that another holder keeps the lock from being taken.
var ErrBusy = errors.New("somebody else holds the lock")

// Lock is an open lock file. The file itself stays when the lock is released:
// removing it would let two processes lock two files of one name, unless they
// ask whether it is [Lock.Gone].
type Lock struct{ file *os.File }

// Open opens the lock file at path, making it where there is none. It takes no
// lock yet.
func Open(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // any user of the folder may lock it
	if err != nil {
		return nil, err
	}
	return &Lock{file: f}, nil
}

// OpenIn opens the lock file of a name in a folder, making it where there is none, and
// follows no link.
func OpenIn(root *os.Root, name string) (*Lock, error) {
	f, err := beneath.File(root, name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return &Lock{file: f}, nil
}

// Of is the lock of a file or folder that is open already, and closes it in the
// end.
func Of(f *os.File) *Lock { return &Lock{file: f} }

// Gone says whether the file no longer has its name: whoever removes a lock
// file has to hold its lock, and whoever gets a lock has to look again.
func (l *Lock) Gone() bool {
	here, err := os.Lstat(l.file.Name())
	if err != nil {
		return true
	}
	mine, err := l.file.Stat()
	return err != nil || !os.SameFile(here, mine)
}

// Shared waits until it has the lock together with other shared holders.
func (l *Lock) Shared(ctx context.Context) error { return l.wait(ctx, unix.LOCK_SH) }

// Exclusive waits until it has the lock alone.
func (l *Lock) Exclusive(ctx context.Context) error { return l.wait(ctx, unix.LOCK_EX) }

// TryExclusive takes the lock alone, or returns [ErrBusy] at once. A shared
// lock that l held before may be lost then: take it again.
func (l *Lock) TryExclusive() error { return l.try(unix.LOCK_EX) }

// Close releases the lock.
func (l *Lock) Close() error { return l.file.Close() }

// wait polls, because a blocked flock knows nothing of ctx.
func (l *Lock) wait(ctx context.Context, how int) error {
	for {
		err := l.try(how)
		if !errors.Is(err, ErrBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for lock %q: %w", l.file.Name(), context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
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
