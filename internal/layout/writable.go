package layout

import (
	"errors"
	"fmt"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

// UnwritableError is an output directory that can not be written to.
type UnwritableError struct {
	Dir string
	Err error
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("output directory %q can not be written to: %v", e.Dir, e.Err)
}

// Unwrap returns the cause.
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint says what can be done.
func (e *UnwritableError) Hint() string {
	return "run the build in a directory that you may write to, or name one with --output type=oci,tar=false,dest=DIR"
}

// Writable tells whether a layout can be kept in a place, which need not exist. It
// writes a file there, or in the nearest directory above that exists, and removes
// it again: neither modes nor ids tell of a read-only mount. Ask it before a
// build and not after.
func Writable(place beneath.Place) error {
	root, err := place.Nearest()
	if err == nil {
		var probe *atomicfile.Temporary
		if probe, err = atomicfile.FileIn(root, "writable"); err == nil {
			err = probe.Close()
		}
		err = errors.Join(err, root.Close())
	}
	if failure.KindOf(err) == failure.Usage {
		return err // it is the wrong place, and not just closed
	}
	if err != nil {
		return &UnwritableError{Dir: place.String(), Err: err}
	}
	return nil
}
