package beneath

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
)

// FS returns the file system of a project's directory. It follows no link, not even one
// that stays inside: an app that is a link to .git would put a login into the image. It
// opens only regular files and directories, so that no FIFO blocks. [fs.ReadFile] reads
// at most 64 MB, the size of a large uv.lock; see [ReadAtMost].
func FS(root *os.Root) fs.FS { return projectFS{root.FS().(rootFS), root, &sync.Map{}} }

// rootFS is what the file system of an [os.Root] implements.
type rootFS interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

type projectFS struct {
	rootFS
	root *os.Root
	dirs *sync.Map // paths of directories that were looked at
}

// look rejects a path with a link in it. What else may be wrong with it is found when it
// is used.
func (p projectFS) look(op, name string) error {
	if !fs.ValidPath(name) || name == "." {
		return nil
	}
	if _, known := p.dirs.Load(name); known {
		return nil
	}
	if err := p.look(op, path.Dir(name)); err != nil {
		return err
	}
	info, err := p.root.Lstat(name)
	switch {
	case err != nil:
	case info.Mode()&fs.ModeSymlink != 0:
		return &fs.PathError{Op: op, Path: name, Err: errors.New("it is a symbolic link, which is not followed")}
	case info.IsDir():
		p.dirs.Store(name, true)
	}
	return nil
}

// readLimit is the default limit for the size of a file, in bytes.
const readLimit = 64 << 20

// Stat implements [fs.StatFS].
func (p projectFS) Stat(name string) (fs.FileInfo, error) {
	if err := p.look("stat", name); err != nil {
		return nil, err
	}
	info, err := p.rootFS.Stat(name)
	return info, worded(err)
}

// ReadDir implements [fs.ReadDirFS].
func (p projectFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := p.look("open", name); err != nil {
		return nil, err
	}
	return p.rootFS.ReadDir(name)
}

// Open implements [fs.FS].
func (p projectFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if err := p.look("open", name); err != nil {
		return nil, err
	}
	f, err := p.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, worded(err)
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = regular("open", name, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadFile implements [fs.ReadFileFS].
func (p projectFS) ReadFile(name string) ([]byte, error) { return ReadAtMost(p, name, readLimit) }

// SizeError means that a file exceeds its size limit.
type SizeError struct {
	Name  string
	Limit int64
}

func (e *SizeError) Error() string { return fmt.Sprintf("%q has more than %d bytes", e.Name, e.Limit) }

// ReadAtMost reads a regular file of a project, from the file system that [FS] returns or one
// below it, if it has no more than limit bytes. Its errors are of the kind [failure.Usage].
func ReadAtMost(project fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(project, name)
	if err == nil {
		err = regular("read", name, info)
	}
	if err == nil && info.Size() > limit {
		err = &SizeError{name, limit}
	}
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	f, err := project.Open(name)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	defer f.Close()
	b := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	n, err := b.ReadFrom(io.LimitReader(f, limit+1))
	if err == nil && n > limit { // it grows, or its file system reports no size
		err = &SizeError{name, limit}
	}
	return b.Bytes(), failure.New(failure.Usage, err)
}

// regular rejects what is not a regular file.
func regular(op, name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("it is %s and not a regular file", Kind(info.Mode()))}
}

// Kind returns what a mode stands for: "a directory", "a named pipe".
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// worded rewords an error of an [os.Root] to name the operation and not the system call.
func worded(err error) error {
	at, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	return &fs.PathError{Op: strings.TrimSuffix(at.Op, "at"), Path: at.Path, Err: at.Err}
}
