package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// need is what a spec wants a path to be.
type need int

const (
	file          need = iota
	folder             // a folder
	sourceTree         // a folder that Python's build tools can make a wheel of
	projectFolder      // a folder with a pyproject.toml
)

// reference is a file or folder that the spec names.
type reference struct {
	offset int
	key    string
	path   string
	need   need
}

func (d *decoder) needs(offset int, key, path string, what need) {
	d.files = append(d.files, reference{offset, key, path, what})
}

// local reads the path of a file or folder beside the spec.
func (r *reader) local(key string, what need) string {
	p := r.text(key, local)
	if p != "" {
		r.needs(r.at(key), key, p, what)
	}
	return p
}

// locals reads a list of such paths.
func (r *reader) locals(key string, what need) []string {
	list := r.texts(key, local)
	r.list(key, func(_ string, item *value) {
		if p, err := local(item.text); item.kind == kindString && err == nil {
			r.needs(item.offset, key, p, what)
		}
	})
	return list
}

// CheckFiles reports, all at once, which of the files and folders that the
// variants of f name are not there, are of the wrong kind, or lie outside
// root. With the file system of an [os.Root] that holds for symbolic links too.
func (f *File) CheckFiles(root fs.FS) error {
	found := newFaults(f.doc)
	for _, name := range f.names {
		for _, ref := range f.decode(name).files {
			if err := ref.check(root); err != nil {
				found.add(ref.offset, "%s: %v", ref.key, err)
			}
		}
	}
	return found.err()
}

func (ref reference) check(root fs.FS) error {
	info, err := fs.Stat(root, ref.path)
	if err != nil {
		return ref.explain(err)
	}
	switch {
	case ref.need == file && info.IsDir():
		return fmt.Errorf("%q is a folder, want a file", ref.path)
	case ref.need == file && !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", ref.path)
	case ref.need != file && !info.IsDir():
		return fmt.Errorf("%q is a file, want a folder", ref.path)
	case ref.need == projectFolder && !regular(root, path.Join(ref.path, "pyproject.toml")):
		return fmt.Errorf("%q holds no pyproject.toml", ref.path)
	case ref.need == sourceTree && !buildable(root, ref.path):
		return fmt.Errorf("%q holds neither pyproject.toml nor setup.py", ref.path)
	}
	return nil
}

// explain says what keeps a file from being used, without the name that the
// operating system's own message would repeat.
func (ref reference) explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q does not exist", ref.path)
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return fmt.Errorf("using %q: %w", ref.path, err)
}

func buildable(root fs.FS, tree string) bool {
	return slices.ContainsFunc([]string{"pyproject.toml", "setup.py"}, func(name string) bool {
		return regular(root, path.Join(tree, name))
	})
}

func regular(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.Mode().IsRegular()
}
