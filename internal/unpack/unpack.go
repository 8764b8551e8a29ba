// Package unpack writes the bare files of an image into a folder.
//
// BuildKit's own export of files into a folder of the client (type local)
// stands still on a root file system of a few thousand files: both sides wait
// for the other to read (v0.34.2). Its export as a tar does not, so files come
// that way.
package unpack

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"lamina.build/internal/beside"
)

// Folder is a folder that appears when all of it is there.
type Folder struct {
	path      string
	temporary *beside.Temporary
}

// Prepare makes room for the folder at path, which must not exist or be empty:
// what lies in it would be mixed with the image.
func Prepare(path string) (*Folder, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("folder %q is not empty", path)
	}
	temporary, err := beside.Folder(path)
	return &Folder{path: path, temporary: temporary}, err
}

// Commit puts the folder in its place.
func (f *Folder) Commit() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.temporary.Commit(0o755)
}

// Close removes what was not committed.
func (f *Folder) Close() error { return f.temporary.Close() }

// Read fills the folder from a tar, or lays another one over what an earlier one
// had, as the layers of an image lie over each other. Owners are kept where the user
// may give files away, which is root; devices and whiteouts, which no image of ours
// has, are refused.
func (f *Folder) Read(r io.Reader) error {
	root, err := os.OpenRoot(f.temporary.Name())
	if err != nil {
		return err
	}
	w := writer{root: root, owners: os.Geteuid() == 0, dirs: map[string]*tar.Header{}}
	err = w.all(tar.NewReader(r))
	if err == nil { // the tar's padding
		_, err = io.Copy(io.Discard, r)
	}
	return errors.Join(err, root.Close())
}

// whiteout begins the names of what isn't there any more.
const whiteout = ".wh."

type writer struct {
	root   *os.Root // no entry leads out of it
	owners bool
	dirs   map[string]*tar.Header
}

func (w writer) all(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return w.finish()
		}
		if err != nil {
			return fmt.Errorf("reading the image's files: %w", err)
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if name == "" {
			continue
		}
		if err := w.entry(name, h, t); err != nil {
			return fmt.Errorf("writing %q: %w", name, err)
		}
	}
}

func (w writer) entry(name string, h *tar.Header, content io.Reader) error {
	if strings.HasPrefix(path.Base(name), whiteout) {
		return errors.New("it takes a file of another layer away, which has no place in a folder")
	}
	if h.Typeflag == tar.TypeDir {
		w.dirs[name] = h
		return w.root.MkdirAll(name, 0o755)
	}
	if err := w.root.RemoveAll(name); err != nil { // of a lower layer
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return errors.Join(w.root.Symlink(h.Linkname, name), w.own(name, h))
	case tar.TypeLink:
		return w.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), name)
	case tar.TypeReg:
		return w.file(name, h, content)
	default:
		return fmt.Errorf("entry of type %q has no place in a folder", h.Typeflag)
	}
}

func (w writer) file(name string, h *tar.Header, content io.Reader) error {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), w.own(name, h), w.settle(name, h))
}

func (w writer) own(name string, h *tar.Header) error {
	if !w.owners {
		return nil
	}
	return w.root.Lchown(name, h.Uid, h.Gid)
}

// settle sets the mode after the owner, whose change drops setuid bits.
func (w writer) settle(name string, h *tar.Header) error {
	return errors.Join(w.root.Chmod(name, h.FileInfo().Mode()), w.root.Chtimes(name, time.Time{}, h.ModTime))
}

// finish gives folders their modes and times, which files in them would change.
func (w writer) finish() error {
	faults := make([]error, 0, 2*len(w.dirs))
	for name, h := range w.dirs {
		faults = append(faults, w.own(name, h), w.settle(name, h))
	}
	return errors.Join(faults...)
}
