package layout

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

	"lamina.build/internal/atomicfile"
)

// Folder holds the bare files of an image. It appears when all of it is there.
//
// BuildKit's own export of files into a folder of the client (type local) stands still
// on a root file system of a few thousand files: both sides wait for the other to read
// (v0.34.2). Its export as a tar does not, so files come that way.
type Folder struct {
	path      string
	temporary *atomicfile.Temporary
}

// PrepareFolder makes room for the folder at path, which must not exist or be empty:
// what lies in it would be mixed with the image.
func PrepareFolder(path string) (*Folder, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("folder %q is not empty", path)
	}
	temporary, err := atomicfile.Folder(path)
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
	w := &writer{root: root, owners: os.Geteuid() == 0, dirs: map[string]*tar.Header{}}
	err = w.all(tar.NewReader(r))
	if err == nil { // the tar's padding
		_, err = io.Copy(io.Discard, r)
	}
	return errors.Join(err, w.leave(), root.Close())
}

// whiteout begins the names of what isn't there any more.
const whiteout = ".wh."

// writer writes entries. No entry leads out of root.
type writer struct {
	root   *os.Root
	owners bool
	dirs   map[string]*tar.Header

	// The folder that the last entry lay in: most entries lie where the one before
	// them did, and each way there from the root takes an open a step.
	in  *os.Root
	dir string
}

func (w *writer) all(t *tar.Reader) error {
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

// enter goes to the folder that something lies in.
func (w *writer) enter(name string) (err error) {
	dir := path.Dir(name)
	if w.in != nil && w.dir == dir {
		return nil
	}
	if err = w.leave(); err == nil {
		w.in, err = w.root.OpenRoot(dir)
		w.dir = dir
	}
	return err
}

func (w *writer) leave() error {
	in := w.in
	w.in = nil
	if in == nil {
		return nil
	}
	return in.Close()
}

func (w *writer) entry(name string, h *tar.Header, content io.Reader) error {
	if strings.HasPrefix(path.Base(name), whiteout) {
		return errors.New("it takes a file of another layer away, which has no place in a folder")
	}
	if h.Typeflag == tar.TypeDir {
		return w.folder(name, h)
	}
	delete(w.dirs, name)
	if err := w.enter(name); err != nil {
		return err
	}
	err := w.leaf(path.Base(name), h, content)
	if errors.Is(err, fs.ErrExist) { // in a lower layer
		err = errors.Join(w.in.RemoveAll(path.Base(name)), w.leaf(path.Base(name), h, content))
	}
	return err
}

// folder makes a folder. What is none, a link to a folder too, makes room for it.
func (w *writer) folder(name string, h *tar.Header) error {
	w.dirs[name] = h
	info, err := w.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = errors.Join(w.leave(), w.root.Remove(name)) // it may be the way by which a folder was entered
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.root.MkdirAll(name, 0o755)
}

// leaf makes what is no folder, in the folder entered. Where there is something
// already, nothing of content is read.
func (w *writer) leaf(name string, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		if err := w.in.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return w.own(w.in, name, h)
	case tar.TypeLink:
		return w.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), path.Join(w.dir, name))
	case tar.TypeReg:
		return w.file(name, h, content)
	default:
		return fmt.Errorf("entry of type %q has no place in a folder", h.Typeflag)
	}
}

func (w *writer) file(name string, h *tar.Header, content io.Reader) error {
	f, err := w.in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), w.own(w.in, name, h), settle(w.in, name, h))
}

func (w *writer) own(in *os.Root, name string, h *tar.Header) error {
	if !w.owners {
		return nil
	}
	return in.Lchown(name, h.Uid, h.Gid)
}

// settle sets the mode after the owner, whose change drops setuid bits.
func settle(in *os.Root, name string, h *tar.Header) error {
	return errors.Join(in.Chmod(name, h.FileInfo().Mode()), in.Chtimes(name, time.Time{}, h.ModTime))
}

// finish gives folders their modes and times, which files in them would change.
func (w *writer) finish() error {
	faults := make([]error, 0, 2*len(w.dirs))
	for name, h := range w.dirs {
		faults = append(faults, w.own(w.root, name, h), settle(w.root, name, h))
	}
	return errors.Join(faults...)
}
