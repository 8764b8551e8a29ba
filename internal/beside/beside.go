// Package beside makes files and folders that get their names when they are
// whole.
//
// Until then they lie beside their place, under a hidden name, and locked. The
// kernel drops the lock of a process that was killed, and whoever next writes
// to the same place removes what nobody holds any more. What another process is
// writing there meanwhile stays.
package beside

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lamina.build/internal/layout/filelock"
)

// Temporary is a file or folder that is not whole yet.
type Temporary struct {
	path string // where it will be
	name string // where it is
	lock *filelock.Lock
	made Folders // around it
}

// File makes an empty file for what will be at path, and the folders above it.
func File(path string) (*Temporary, error) {
	return hold(path, func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names the path
	})
}

// Folder makes an empty folder for what will be at path, and those above it.
func Folder(path string) (*Temporary, error) {
	return hold(path, func(name string) (*os.File, error) {
		if err := os.Mkdir(name, 0o700); err != nil {
			return nil, err
		}
		return os.Open(name) //nolint:gosec // as above
	})
}

// hold makes something under a name of its own and locks it. In the moment
// between the two a sweep takes it for a leftover: then another one is made.
func hold(path string, make func(name string) (*os.File, error)) (*Temporary, error) {
	path = filepath.Clean(path) // "root/" lies beside root, not in it
	made, err := MakeFolders(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	Sweep(path)
	for {
		name := prefix(path) + rand.Text()[:suffixLength]
		f, err := make(name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			made.RemoveEmpty()
			return nil, err
		}
		t := &Temporary{path: path, name: name, lock: filelock.Of(f), made: made}
		// Where a file system knows no locks, a sweep can't take one either.
		if err = t.lock.TryExclusive(); !errors.Is(err, filelock.ErrBusy) && !t.lock.Gone() {
			return t, nil
		}
		_ = t.lock.Close() // it was somebody else's to remove
	}
}

// Name is where it lies until it is committed.
func (t *Temporary) Name() string { return t.name }

// Create opens a file to be written. Closing that leaves it locked.
func (t *Temporary) Create() (*os.File, error) { return os.OpenFile(t.name, os.O_WRONLY|os.O_TRUNC, 0) }

// Commit puts it in its place, with a mode. After that there is nothing to close.
func (t *Temporary) Commit(mode fs.FileMode) error {
	err := os.Chmod(t.name, mode)
	if err == nil {
		err = os.Rename(t.name, t.path)
	}
	if err != nil {
		return err
	}
	lock := t.lock
	t.lock = nil
	return lock.Close()
}

// Close removes what was not committed, and the folders that were made for it.
func (t *Temporary) Close() error {
	if t.lock == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(t.name), t.lock.Close())
	t.made.RemoveEmpty()
	return err
}

// Write replaces the file at path as a whole, so that nobody ever sees half of
// it, also after a crash, and a failure leaves the old one. Its folder must be
// there.
func Write(path string, data []byte) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	t, err := File(path)
	if err != nil {
		return err
	}
	f, err := t.Create()
	if err == nil {
		_, err = f.Write(data)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = t.Commit(0o644)
	}
	if err != nil {
		return errors.Join(err, t.Close())
	}
	return nil
}

// suffixLength is how many random letters tell those of one place apart.
const suffixLength = 10

// prefix begins the names of all that is made for path.
func prefix(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lamina-")
}

// Leftovers are what dead processes left of their attempts at path, for those who have
// more to end than files.
func Leftovers(path string) []string {
	var list []string
	eachLeftover(path, func(name string) { list = append(list, name) })
	return list
}

// Sweep removes what dead processes left of their attempts at path, as every
// new attempt does. What can't be removed keeps nobody from writing beside it.
func Sweep(path string) {
	eachLeftover(path, func(name string) { _ = os.RemoveAll(name) })
}

// eachLeftover visits what nobody holds, and holds it meanwhile.
func eachLeftover(path string, visit func(name string)) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(path), e.Name())
		suffix, ours := strings.CutPrefix(name, prefix(path))
		if ours && len(suffix) == suffixLength {
			visitLeftover(name, e.Type(), visit)
		}
	}
}

func visitLeftover(name string, kind fs.FileMode, visit func(name string)) {
	how := os.O_RDWR // an NFS wants that for an exclusive lock
	switch {
	case kind.IsDir():
		how = os.O_RDONLY
	case !kind.IsRegular():
		return
	}
	f, err := os.OpenFile(name, how, 0) //nolint:gosec // the name is one of ours
	if err != nil {
		return
	}
	lock := filelock.Of(f)
	if lock.TryExclusive() == nil {
		visit(name)
	}
	_ = lock.Close() // nothing was written
}
