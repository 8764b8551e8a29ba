// Package beneath opens what lies below a directory, and follows no link on the way.
//
// A project that somebody got from elsewhere may hold links where Lamina writes
// and removes: dist/NAME/ingest that leads to somebody's documents. Only a path
// that the user typed may be a link, or lead through some. Below it every step
// is looked at: directories have to be directories, and files regular files, so that a
// FIFO or a device is never opened either. What was looked at is what is opened,
// also where somebody swaps one for the other meanwhile.
//
// A project's own files, which are read and not written, may be links that stay in it
// ([FS], [ReadAtMost]).
package beneath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
)

// hint is what can be done about something that isn't what it has to be.
const hint = "links are not followed there: remove it, or name another directory with -o type=oci,dest=DIR,tar=false"

// refuse says what lies at name in root.
func refuse(root *os.Root, name string, mode fs.FileMode, want string) error {
	what := "is not " + want
	if mode&fs.ModeSymlink != 0 {
		what = "is a symbolic link and not " + want
	}
	err := failure.New(failure.Usage, fmt.Errorf("%q %s", filepath.Join(root.Name(), name), what))
	return failure.WithHint(err, hint)
}

// errSwapped says that something became something else between two looks.
var errSwapped = errors.New("it was replaced while it was opened")

// Dir opens the directory at name, which may have several steps.
func Dir(root *os.Root, name string) (*os.Root, error) {
	at, err := root.OpenRoot(".")
	for step := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(name)), "/") {
		if err != nil || step == "." {
			continue
		}
		above := at
		at, err = child(above, step)
		err = errors.Join(err, above.Close())
	}
	return at, err
}

// child opens a directory one step below root.
func child(root *os.Root, step string) (*os.Root, error) {
	seen, err := root.Lstat(step)
	if err != nil {
		return nil, err
	}
	if !seen.IsDir() {
		return nil, refuse(root, step, seen.Mode(), "a directory")
	}
	at, err := root.OpenRoot(step)
	if err != nil {
		return nil, err
	}
	have, err := at.Stat(".")
	if err == nil && !os.SameFile(seen, have) {
		err = &fs.PathError{Op: "opening", Path: at.Name(), Err: errSwapped}
	}
	if err != nil {
		return nil, errors.Join(err, at.Close())
	}
	return at, nil
}

// File opens a regular file in root, and makes it where there is none and flag has
// os.O_CREATE. It never waits for somebody at the other end.
func File(root *os.Root, name string, flag int, mode fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE != 0 {
		f, err := root.OpenFile(name, flag|os.O_EXCL, mode) // which takes a link for something that is there
		if !errors.Is(err, fs.ErrExist) || flag&os.O_EXCL != 0 {
			return f, err
		}
	}
	seen, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, refuse(root, name, seen.Mode(), "a regular file")
	}
	f, err := root.OpenFile(name, flag&^os.O_CREATE|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	have, err := f.Stat()
	if err == nil && !os.SameFile(seen, have) {
		err = &fs.PathError{Op: "opening", Path: f.Name(), Err: errSwapped}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadFile reads a regular file in root.
func ReadFile(root *os.Root, name string) (data []byte, err error) {
	f, err := File(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// ReadDir lists the directory at name, sorted.
func ReadDir(root *os.Root, name string) (list []fs.DirEntry, err error) {
	at, err := Dir(root, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, at.Close()) }()
	return fs.ReadDir(at.FS(), ".")
}

// CheckDir refuses what is at name unless it is a directory, or nothing.
func CheckDir(root *os.Root, name string) error {
	at, err := Dir(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return at.Close()
}

// CheckFile refuses what is called name in root unless it is a regular file, or nothing.
func CheckFile(root *os.Root, name string) error {
	seen, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !seen.Mode().IsRegular() {
		err = refuse(root, name, seen.Mode(), "a regular file")
	}
	return err
}

// CheckFiles refuses the directory at name if anything but regular files and directories
// lies in it; there may be none.
func CheckFiles(root *os.Root, name string) error {
	list, err := ReadDir(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.Type().IsRegular() && !e.IsDir() {
			return refuse(root, filepath.Join(name, e.Name()), e.Type(), "a regular file")
		}
	}
	return nil
}
