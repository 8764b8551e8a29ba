package beneath

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
)

// FS is the file system of a project's directory. Links may lead about in it, as in a
// workspace, and never out of it. What is opened is a regular file or a directory: a FIFO
// has nobody wait for its other end. No file that is read at once by [fs.ReadFile] is
// larger than 64 MB, which is a large uv.lock; see [ReadAtMost].
func FS(root *os.Root) fs.FS { return projectFS{root.FS().(rootFS), root} }

// rootFS is what the file system of an [os.Root] has.
type rootFS interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

type projectFS struct {
	rootFS
	root *os.Root
}

// readLimit is how large a file may be, in bytes, that nobody has another limit for.
const readLimit = 64 << 20

// Stat implements [fs.StatFS].
func (p projectFS) Stat(name string) (fs.FileInfo, error) {
	info, err := p.rootFS.Stat(name)
	return info, worded(err)
}

// Open implements [fs.FS].
func (p projectFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
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

// SizeError is that a file has more bytes than it may have.
type SizeError struct {
	Name  string
	Limit int64
}

func (e *SizeError) Error() string { return fmt.Sprintf("%q has more than %d bytes", e.Name, e.Limit) }

// ReadAtMost reads a regular file of a project, of the file system that [FS] gives, or
// of one below it, if it has no more than so many bytes. What can't be read is an error
// of the kind [failure.Usage].
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
	if err == nil && n > limit { // it grows, or its system doesn't know how long it is
		err = &SizeError{name, limit}
	}
	return b.Bytes(), failure.New(failure.Usage, err)
}

// regular refuses what is no regular file.
func regular(op, name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("it is %s and not a regular file", Kind(info.Mode()))}
}

// Kind says what something is by its mode: "a directory", "a named pipe".
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

// worded has an error of an [os.Root] say what was done and not by which system call,
// and that a link leads out: package os has no name for that.
func worded(err error) error {
	at, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	why := at.Err
	if strings.Contains(why.Error(), "escapes from parent") {
		why = errors.New("a link leads out of the directory")
	}
	return &fs.PathError{Op: strings.TrimSuffix(at.Op, "at"), Path: at.Path, Err: why}
}
