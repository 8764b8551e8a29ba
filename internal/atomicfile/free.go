package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes this user may still write to the disk of a directory.
func Free(dir string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, &os.PathError{Op: "measuring the disk of", Path: dir, Err: err}
	}
	//nolint:gosec,unconvert // no disk has 2^63 bytes; types differ by system
	return int64(disk.Bavail) * int64(disk.Bsize), nil
}
