package layout

import (
	"errors"
	"fmt"
	"io/fs"

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

// probes limits how often a directory is probed that other builds may remove meanwhile. It is
// not endless: /proc, too, says of a new file that it doesn't exist.
const probes = 100

// Writable reports whether a layout can be kept in a place, which need not exist. It
// writes a file there, or in the nearest existing directory above, and removes it again:
// neither modes nor ids reveal a read-only mount. Call it before a build, not after.
func Writable(place beneath.Place) error {
	err := probe(place)
	for n := 1; n < probes && errors.Is(err, fs.ErrNotExist); n++ { // another build has discarded the directory
		err = probe(place)
	}
	if err == nil || failure.KindOf(err) == failure.Usage { // it is the wrong place, not just read-only
		return err
	}
	return &UnwritableError{Dir: place.String(), Err: err}
}

func probe(place beneath.Place) error {
	root, err := place.Nearest()
	if err != nil {
		return err
	}
	file, err := atomicfile.FileIn(root, "writable", 0o600)
	if err == nil {
		err = file.Close()
	}
	return errors.Join(err, root.Close())
}
