package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Folders are folders that were made, the highest first.
type Folders []string

// MakeFolders makes dir and the folders above it, and returns those that were
// not there.
func MakeFolders(dir string) (Folders, error) {
	var missing Folders
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	slices.Reverse(missing)
	return missing, os.MkdirAll(dir, 0o755) //nolint:gosec // an image is no secret
}

// RemoveEmpty removes the folders again. One that has something in it by now
// stays, with those above it.
func (f Folders) RemoveEmpty() {
	for _, dir := range slices.Backward(f) {
		if os.Remove(dir) != nil {
			return
		}
	}
}
