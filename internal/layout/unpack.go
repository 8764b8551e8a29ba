package layout

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
)

// Dir holds the bare files of an image. It appears when it is complete.
//
// BuildKit's own export of files to a directory of the client (type local) deadlocks on a
// root file system of a few thousand files: each side waits for the other to read
// (v0.34.2). Its export as a tar does not, so files are exported that way.
type Dir struct {
	path      string
	below     string                 // the directory in it that contains the files
	dirs      map[string]*tar.Header // of the directories that were read, by path
	temporary *atomicfile.Temporary
}

// PrepareDir prepares the directory at path, which must be missing or empty: its content
// would be mixed with the image.
func PrepareDir(path string) (*Dir, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("directory %q is not empty", path)
	}
	temporary, err := atomicfile.Dir(path, 0o755)
	return &Dir{path: path, dirs: map[string]*tar.Header{}, temporary: temporary}, err
}

// Below puts everything read from now on into a directory.
func (f *Dir) Below(dir string) { f.below = dir }

// Commit moves the directory into place.
func (f *Dir) Commit() error {
	if err := f.finish(); err != nil {
		return fmt.Errorf("finishing the image's directories: %w", err)
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.temporary.Commit()
}

// Close removes what was not committed.
func (f *Dir) Close() error { return f.temporary.Close() }

// Read fills the directory from a tar, on top of earlier ones, as the layers of an image lie
// over each other. Owners and capabilities are kept if the user may change owners, which
// means root; devices and whiteouts, which no image of ours has, are refused.
func (f *Dir) Read(r io.Reader) error {
	dir := filepath.Join(f.temporary.Name(), f.below)
	if f.below != "" {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // as the directory around it will be
			return err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	w := &writer{root: root, owners: isOwner(), below: f.below, dirs: f.dirs}
	err = w.all(tar.NewReader(r))
	if err == nil { // the tar's padding
		_, err = io.Copy(io.Discard, r)
	}
	return errors.Join(err, root.Close())
}

// finish sets owners, modes and times of directories once all tars are read, since files in
// them would change the times, and a mode may forbid files. The lowest come first, which a
// mode above may hide.
func (f *Dir) finish() error {
	root, err := os.OpenRoot(f.temporary.Name())
	if err != nil {
		return err
	}
	w := &writer{root: root, owners: isOwner()}
	problems := make([]error, 0, len(f.dirs))
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(f.dirs))) {
		problems = append(problems, w.settle(name, f.dirs[name]))
	}
	return errors.Join(append(problems, root.Close())...)
}

// isOwner reports whether the user may change owners.
func isOwner() bool { return os.Geteuid() == 0 }

// whiteout is the prefix of the names of deleted files.
const whiteout = ".wh."

// writer writes entries. No entry leads out of root.
type writer struct {
	root   *os.Root
	owners bool
	below  string // where root is in the directory
	dirs   map[string]*tar.Header
}

func (w *writer) all(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the image's files: %w", err)
		}
		if name := inside(h.Name); name != "" {
			err = w.entry(name, h, t)
			if err != nil {
				return fmt.Errorf("writing %q: %w", name, err)
			}
		}
	}
}

// inside returns the name of a tar entry as a path below the root.
func inside(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func (w *writer) entry(name string, h *tar.Header, content io.Reader) error {
	if strings.HasPrefix(path.Base(name), whiteout) {
		return errors.New("it deletes a file of another layer, which a directory can't do")
	}
	if h.Typeflag == tar.TypeDir {
		return w.directory(name, h)
	}
	err := w.leaf(name, h, content)
	if errors.Is(err, fs.ErrExist) { // from a lower layer
		w.forget(name)
		err = errors.Join(w.root.RemoveAll(name), w.leaf(name, h, content))
	}
	return err
}

// directory makes a directory, replacing anything else, including a link to a directory.
func (w *writer) directory(name string, h *tar.Header) error {
	info, err := w.root.Lstat(name)
	if err == nil && !info.IsDir() {
		w.forget(name) // what lay behind a link
		err = w.root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.dirs[path.Join(w.below, name)] = h
	return w.root.MkdirAll(name, 0o755)
}

// forget forgets the directories at and below a path that is replaced.
func (w *writer) forget(name string) {
	name = path.Join(w.below, name)
	maps.DeleteFunc(w.dirs, func(dir string, _ *tar.Header) bool { return dir == name || strings.HasPrefix(dir, name+"/") })
}

// leaf makes anything but a directory. If something exists already, it reads nothing of
// content.
func (w *writer) leaf(name string, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		if err := w.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return w.own(name, h)
	case tar.TypeLink:
		return w.root.Link(inside(h.Linkname), name)
	case tar.TypeReg:
		return w.file(name, h, content)
	default:
		return fmt.Errorf("entry of type %q is not supported in a directory", h.Typeflag)
	}
}

func (w *writer) file(name string, h *tar.Header, content io.Reader) error {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = errors.Join(w.settle(name, h), w.capabilities(f, h))
	}
	return errors.Join(err, f.Close())
}

// capability is the attribute with a program's capabilities, and attributePrefix is what a
// tar prepends to the names of attributes.
const (
	capability      = "security.capability"
	attributePrefix = "SCHILY.xattr."
)

// capabilities sets those of h on f, after the owner, since changing that drops them, too.
func (w *writer) capabilities(f *os.File, h *tar.Header) error {
	value := h.PAXRecords[attributePrefix+capability]
	if value == "" || !w.owners {
		return nil
	}
	if err := unix.Fsetxattr(int(f.Fd()), capability, []byte(value), 0); err != nil {
		return fmt.Errorf("setting its capabilities: %w", err)
	}
	return nil
}

func (w *writer) own(name string, h *tar.Header) error {
	if !w.owners {
		return nil
	}
	return w.root.Lchown(name, h.Uid, h.Gid)
}

// settle sets the mode after the owner, since changing that drops setuid bits.
func (w *writer) settle(name string, h *tar.Header) error {
	return errors.Join(w.own(name, h), w.root.Chmod(name, h.FileInfo().Mode()), w.root.Chtimes(name, time.Time{}, h.ModTime))
}
