package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
)

// Owned makes a directory where others may write, too, as in /tmp, or accepts one that only
// this user may enter: whoever expects its name could otherwise replace what we put there.
func Owned(dir string) error {
	const hint = "set XDG_CACHE_HOME to a directory with a shorter path, which needs no other for its sockets"
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return failure.WithHint(err, hint)
	}
	var s unix.Stat_t
	if err := unix.Lstat(dir, &s); err != nil {
		return &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR || s.Mode&0o077 != 0 || int(s.Uid) != os.Geteuid() {
		return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("directory %q for sockets is not yours alone", dir)), "remove it, or "+hint)
	}
	return nil
}
