// Package atomicfile makes files and directories that get their names only when they are
// complete, and provides locks between processes.
//
// Until then they lie next to their final path, under a hidden name, and locked. The
// kernel drops the lock of a killed process, and the next writer of the same path removes
// what is no longer locked. What another process is still writing stays.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
)

// Temporary is a file or directory that is not complete yet.
type Temporary struct {
	root *os.Root // the directory that holds it
	base string   // its final name
	name string   // its temporary name
	lock *Lock
	made directories // that hold it
}

// File makes an empty file that will become path, and the directories above it. It has the
// mode that it will have: only the system knows the umask.
func File(path string, mode fs.FileMode) (*Temporary, error) { return holdAt(path, makeFile(mode)) }

// FileIn makes an empty file that will become base in root, as [File] does.
func FileIn(root *os.Root, base string, mode fs.FileMode) (*Temporary, error) {
	own, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	return hold(own, base, nil, makeFile(mode))
}

func makeFile(mode fs.FileMode) maker {
	return func(root *os.Root, name string) (*os.File, error) {
		return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	}
}

// Dir makes an empty directory that will become path, and the directories above it, as
// [File] does.
func Dir(path string, mode fs.FileMode) (*Temporary, error) { return holdAt(path, makeDir(mode)) }

func makeDir(mode fs.FileMode) maker {
	return func(root *os.Root, name string) (*os.File, error) {
		if err := root.Mkdir(name, mode); err != nil {
			return nil, err
		}
		f, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = errRemoved
		}
		return f, err
	}
}

// errRemoved means that a cleanup mistook a new file or directory for a leftover.
var errRemoved = errors.New("removed by another process")

type maker func(root *os.Root, name string) (*os.File, error)

// attempts limits how often the directories above a path are made: another process that
// made them, too, removes them again while they are empty.
const attempts = 100

// holdAt makes a temporary for a path of the user.
func holdAt(path string, make maker) (t *Temporary, err error) {
	path = filepath.Clean(path) // "root/" lies next to root, not in it
	for range attempts {
		t, err = holdOnce(path, make)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return t, err
}

func holdOnce(path string, make maker) (*Temporary, error) {
	made, err := makeDirs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		made.removeEmpty()
		return nil, err
	}
	return hold(root, filepath.Base(path), made, make)
}

// hold makes a temporary under a unique name and locks it. Until it is locked, a cleanup
// may remove it as a leftover; hold then makes another. Closing it closes root.
func hold(root *os.Root, base string, made directories, make maker) (*Temporary, error) {
	CleanupIn(root, base)
	for {
		name := prefix(base) + rand.Text()[:suffixLength]
		f, err := make(root, name)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, errRemoved) {
			continue
		}
		if err != nil {
			made.removeEmpty()
			return nil, errors.Join(err, root.Close())
		}
		t := &Temporary{root: root, base: base, name: name, lock: &Lock{file: f}, made: made}
		// On a file system without locks, a cleanup can't take one either.
		if err = t.lock.TryExclusive(); !errors.Is(err, ErrBusy) && !t.lock.Gone() {
			return t, nil
		}
		_ = t.lock.Close() // a cleanup is removing it
	}
}

// Name returns its path until it is committed.
func (t *Temporary) Name() string { return filepath.Join(t.root.Name(), t.name) }

// Create opens the file for writing. Closing that leaves it locked.
func (t *Temporary) Create() (*os.File, error) {
	return beneath.File(t.root, t.name, os.O_WRONLY|os.O_TRUNC, 0)
}

// Commit moves it to its final path. After that, Close does nothing.
func (t *Temporary) Commit() error {
	if err := t.root.Rename(t.name, t.base); err != nil {
		return err
	}
	lock := t.lock
	t.lock = nil
	return errors.Join(lock.Close(), t.root.Close())
}

// Close removes it, with the directories made for it, unless it was committed.
func (t *Temporary) Close() error {
	if t.lock == nil {
		return nil
	}
	err := errors.Join(t.root.RemoveAll(t.name), t.lock.Close(), t.root.Close())
	t.made.removeEmpty()
	return err
}

// Write replaces the file at path atomically: nobody ever sees half of it, not even after a
// crash, and a failure leaves the old one. Its directory must exist. The umask applies to
// its mode.
func Write(path string, data []byte, mode fs.FileMode) (err error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return WriteIn(root, filepath.Base(path), data, mode)
}

// WriteIn replaces the file base in root as [Write] does.
func WriteIn(root *os.Root, base string, data []byte, mode fs.FileMode) error {
	t, err := FileIn(root, base, mode)
	if err != nil {
		return err
	}
	return t.fill(func(f *os.File) error {
		_, err := f.Write(data)
		return errors.Join(err, f.Sync())
	})
}

// Stream replaces the file at path with what write writes, and makes the directories above
// it. It doesn't sync: after a crash of the machine the file may exist and be empty, which
// its readers must detect.
func Stream(path string, mode fs.FileMode, write func(io.Writer) error) error {
	t, err := File(path, mode)
	if err != nil {
		return err
	}
	return t.fill(func(f *os.File) error { return write(f) })
}

// fill writes the file and commits it.
func (t *Temporary) fill(write func(*os.File) error) error {
	f, err := t.Create()
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err == nil {
		err = t.Commit()
	}
	return errors.Join(err, t.Close())
}

// suffixLength is the number of random letters that distinguish the temporaries of one path.
const suffixLength = 10

// prefix begins the names of all temporaries that will become base.
func prefix(base string) string { return "." + base + ".lamina-" }

// Leftovers returns what dead processes left of their attempts at path, for callers that
// have more to clean up than files.
func Leftovers(path string) []string {
	var list []string
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil
	}
	eachLeftover(root, filepath.Base(path), func(name string) { list = append(list, filepath.Join(root.Name(), name)) })
	_ = root.Close() // nothing was written
	return list
}

// CleanupIn removes what dead processes left of their attempts at base in root, as every
// new attempt does. What can't be removed doesn't hinder a new attempt.
func CleanupIn(root *os.Root, base string) {
	eachLeftover(root, base, func(name string) { _ = root.RemoveAll(name) })
}

// eachLeftover calls visit for each one that is not locked, holding its lock.
func eachLeftover(root *os.Root, base string, visit func(name string)) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		suffix, ours := strings.CutPrefix(e.Name(), prefix(base))
		if ours && len(suffix) == suffixLength {
			visitLeftover(root, e, visit)
		}
	}
}

func visitLeftover(root *os.Root, e fs.DirEntry, visit func(name string)) {
	how := os.O_RDWR // NFS requires that for an exclusive lock
	switch {
	case e.IsDir():
		how = os.O_RDONLY
	case !e.Type().IsRegular():
		return
	}
	f, err := root.OpenFile(e.Name(), how|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	lock := &Lock{file: f}
	if lock.TryExclusive() == nil {
		visit(e.Name())
	}
	_ = lock.Close() // nothing was written
}
