// Package beneath opens files below a directory without following links.
//
// A project from elsewhere may contain links where Lamina writes and removes files:
// dist/NAME/ingest may point to somebody's documents. Only a path that the user typed
// may be a link or lead through links. Below it every step is checked: directories must
// be directories, and files regular files, so that no FIFO or device is opened, either.
// What was checked is what is opened, even if somebody swaps it in between.
//
// A project's own files, which are only read, are opened in the same way ([FS],
// [ReadAtMost]).
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

// hint is the hint for anything of the wrong kind.
const hint = "links are not followed there: remove it, or choose another directory; for an image, with -o type=oci,dest=DIR,tar=false"

// refuse returns an error that says what name in root is.
func refuse(root *os.Root, name string, mode fs.FileMode, want string) error {
	what := "is not " + want
	if mode&fs.ModeSymlink != 0 {
		what = "is a symbolic link and not " + want
	}
	err := failure.New(failure.Usage, fmt.Errorf("%q %s", filepath.Join(root.Name(), name), what))
	return failure.WithHint(err, hint)
}

// errSwapped means that a file was replaced between check and open.
var errSwapped = errors.New("it was replaced while being opened")

// Dir opens the directory name, which may have several steps.
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

// File opens a regular file in root, and creates it if it is missing and flag has
// os.O_CREATE. It never blocks on the other end of a FIFO.
func File(root *os.Root, name string, flag int, mode fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE != 0 {
		f, err := root.OpenFile(name, flag|os.O_EXCL, mode) // fails with ErrExist for a link
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

// ReadFile reads a regular file in root, of at most 64 MB.
func ReadFile(root *os.Root, name string) (data []byte, err error) {
	f, err := File(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, readLimit+1))
	if err == nil && len(data) > readLimit {
		return nil, failure.New(failure.Usage, &SizeError{f.Name(), readLimit})
	}
	return data, err
}

// ReadDir lists the directory name, sorted.
func ReadDir(root *os.Root, name string) (list []fs.DirEntry, err error) {
	at, err := Dir(root, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, at.Close()) }()
	return fs.ReadDir(at.FS(), ".")
}

// CheckDir rejects name if it exists and is not a directory.
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

// CheckFile rejects name in root if it exists and is not a regular file.
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

// CheckTree rejects name, a file or a directory with everything below, if there is anything
// but regular files and directories; it need not exist.
func CheckTree(root *os.Root, name string) error {
	seen, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if mode := seen.Mode(); !mode.IsRegular() && !mode.IsDir() { // WalkDir would follow it
		return refuse(root, name, mode, "a file or directory")
	}
	return fs.WalkDir(root.FS(), name, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.Type().IsRegular() && !e.IsDir() {
			err = refuse(root, name, e.Type(), "a file or directory")
		}
		return err
	})
}

// CheckFiles rejects the directory name if it contains anything but regular files and
// directories; it need not exist.
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
