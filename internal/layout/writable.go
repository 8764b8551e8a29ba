package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lamina.build/internal/beside"
)

// UnwritableError is an output folder that can not be written to.
type UnwritableError struct {
	Dir string
	Err error
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("output folder %q can not be written to: %v", e.Dir, e.Err)
}

// Unwrap returns the cause.
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint says what can be done.
func (e *UnwritableError) Hint() string {
	return "run the build in a folder that you may write to, or name one with --output type=oci,dest=FOLDER"
}

// Writable tells whether a layout can be kept in dir, which need not exist. It
// writes a file there, or in the nearest folder above that exists, and removes
// it again: neither modes nor ids tell of a read-only mount. Ask it before a
// build and not after.
func Writable(dir string) error {
	at, err := nearest(dir)
	if err == nil {
		var probe *beside.Temporary
		if probe, err = beside.File(filepath.Join(at, "writable")); err == nil {
			err = probe.Close()
		}
	}
	if err != nil {
		return &UnwritableError{Dir: dir, Err: err}
	}
	return nil
}

// nearest is the first of dir and the folders above it that exists.
func nearest(dir string) (string, error) {
	fi, err := os.Stat(dir)
	switch {
	case err == nil && fi.IsDir():
		return dir, nil
	case err == nil:
		return "", fmt.Errorf("%q is not a folder", dir)
	case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
		return "", err
	}
	return nearest(filepath.Dir(dir))
}
