package lamina

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"lamina.build/internal/atomicfile"
)

// Example unpacks a project that is embedded in a program below the cache directory, and
// returns its directory. A lock that an earlier program left there stays, and is compared
// with the spec like any other.
func (o Options) Example(name string, files fs.FS) (dir string, err error) {
	cache, err := o.CacheRoot()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "examples", name)
	if err := mirror(dir, files); err != nil {
		return "", fmt.Errorf("unpacking example %s: %w", name, err)
	}
	return dir, nil
}

// mirror makes a directory hold exactly these files, apart from a lock.
func mirror(dir string, files fs.FS) error {
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(at, 0o755) //nolint:gosec // no secrets
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if old, err := os.ReadFile(at); err == nil && bytes.Equal(old, text) { //nolint:gosec // in our own cache
			return nil
		}
		return atomicfile.Write(at, text, 0o644)
	})
	if err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == LockName {
			return err
		}
		if _, err := fs.Stat(files, name); errors.Is(err, fs.ErrNotExist) && !strings.Contains(path.Base(name), ".lamina-") {
			return os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
		}
		return nil
	})
}
