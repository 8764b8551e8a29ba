package layout

import (
	"errors"
	"fmt"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

// UnwritableError is an output directory that can't be written to.
type UnwritableError struct {
	Dir string
	Err error
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("output directory %q is not writable: %v", e.Dir, e.Err)
}

// Unwrap returns the cause.
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint returns what to do about it.
func (e *UnwritableError) Hint() string {
	return "run the build in a writable directory, or name one with --output type=oci,tar=false,dest=DIR"
}

// Writable reports whether a layout can be kept in a place, which need not exist. It
// writes a file there, or in the nearest existing directory above, and removes it again:
// neither modes nor ids reveal a read-only mount. Call it before a build, not after.
func Writable(place beneath.Place) error {
	root, err := place.Nearest()
	if err == nil {
		var probe *atomicfile.Temporary
		if probe, err = atomicfile.FileIn(root, "writable", 0o600); err == nil {
			err = probe.Close()
		}
		err = errors.Join(err, root.Close())
	}
	if failure.KindOf(err) == failure.Usage {
		return err // it is the wrong place, not just read-only
	}
	if err != nil {
		return &UnwritableError{Dir: place.String(), Err: err}
	}
	return nil
}
