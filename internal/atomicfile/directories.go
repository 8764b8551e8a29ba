package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// directories lists directories that were made, the topmost first.
type directories []string

// makeDirs makes dir and the directories above it, and returns those that were missing. If
// it fails, it removes them again.
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

// removeEmpty removes the directories again, up to the first that is not empty.
func (f directories) removeEmpty() {
	for _, dir := range slices.Backward(f) {
		if os.Remove(dir) != nil {
			return
		}
	}
}
