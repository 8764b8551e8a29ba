package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const pollEvery = 25 * time.Millisecond

// How a file is locked.
const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX
)

// acquire opens a file, making it if need be, and waits for its lock. Closing
// the file gives the lock back, and so does the end of the process. It polls,
// since a blocking flock cannot be given up when ctx is done.
func acquire(ctx context.Context, path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a folder of our own
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	for {
		locked, err := tryLock(file, how)
		if err == nil && !locked {
			err = pause(ctx, pollEvery)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %q: %w", path, err), file.Close())
		}
		return file, nil
	}
}

func tryLock(file *os.File, how int) (bool, error) {
	err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// taken says whether somebody holds the exclusive lock of a file.
func taken(path string) (bool, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // a folder of our own
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("opening lock file: %w", err)
	}
	free, err := tryLock(file, shared)
	return !free, errors.Join(err, file.Close())
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
