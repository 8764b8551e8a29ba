package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/internal/toml"
)

// need is the kind of file that a spec requires at a path.
type need int

const (
	file       need = iota
	directory       // a directory
	sourceTree      // a directory that Python's build tools can make a wheel from
	projectDir      // a directory with a pyproject.toml
)

// reference is a file or directory that the spec names.
type reference struct {
	offset int
	key    string
	path   string
	need   need
}

// local reads the path of a file or directory next to the spec.
func (d *decoder) local(r *toml.Reader, key string, what need) string {
	p := r.Text(key, local)
	if p != "" {
		d.files = append(d.files, reference{r.At(key), key, p, what})
	}
	return p
}

// locals reads a list of such paths.
func (d *decoder) locals(r *toml.Reader, key string, what need) []string {
	return r.Texts(key, local, func(item *toml.Value) {
		d.files = append(d.files, reference{item.Offset, key, path.Clean(item.Text), what})
	})
}

// CheckFiles reports all files and directories named by the variants of f that are
// missing, of the wrong kind, or outside root. With the file system of an [os.Root] it
// also reports symbolic links that lead outside.
func (f *File) CheckFiles(root fs.FS) error {
	problems := f.doc.Problems()
	for _, e := range f.editions {
		_, d := f.decode(e)
		for _, ref := range d.files {
			if err := ref.check(root); err != nil {
				problems.Add(ref.offset, "%s: %v", ref.key, err)
			}
		}
	}
	return failure.New(failure.Usage, problems.Err())
}

func (ref reference) check(root fs.FS) error {
	info, err := fs.Stat(root, ref.path)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // without the name, which the message already has
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q does not exist", ref.path)
	case err != nil:
		return fmt.Errorf("using %q: %w", ref.path, err)
	case ref.need == file && info.IsDir():
		return fmt.Errorf("%q is a directory, want a file", ref.path)
	case ref.need == file && !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", ref.path)
	case ref.need != file && !info.IsDir():
		return fmt.Errorf("%q is a file, want a directory", ref.path)
	case ref.need == projectDir && !holds(root, ref.path, "pyproject.toml"):
		return fmt.Errorf("%q holds no pyproject.toml", ref.path)
	case ref.need == sourceTree && !holds(root, ref.path, "pyproject.toml", "setup.py"):
		return fmt.Errorf("%q holds neither pyproject.toml nor setup.py", ref.path)
	}
	return nil
}

// holds reports whether a directory has a regular file with one of the names.
func holds(root fs.FS, dir string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		info, err := fs.Stat(root, path.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	})
}
