package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// directories are directories that were made, the highest first.
type directories []string

// makeDirs makes dir and the directories above it, and returns those that were
// not there. Where it fails none of them stays.
func makeDirs(dir string) (directories, error) {
	var missing directories
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	slices.Reverse(missing)
	for i, at := range missing {
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // an image is no secret
			missing[:i].removeEmpty()
			return nil, err
		}
	}
	return missing, nil
}

// removeEmpty removes the directories again. One that has something in it by now
// stays, with those above it.
func (f directories) removeEmpty() {
	for _, dir := range slices.Backward(f) {
		if os.Remove(dir) != nil {
			return
		}
	}
}
