package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/beneath"
	"lamina.build/llb"
)

// ErrEmpty means that nothing of a tree was selected.
var ErrEmpty = errors.New("nothing to pack")

// TreeOptions configure [Tree].
type TreeOptions struct {
	Name        string // for people, of the layer and in messages
	FS          fs.FS  // the tree; of an [os.Root], so that no symlink leads out of it
	Target      string // its path in the image: absolute and clean
	Include     []string
	Exclude     []string
	Keep        llb.Exclude       // private keys to include, by their paths in the image; [AllKeys] if the layer is in no image
	Ignore      []byte            // the content of a .dockerignore
	LeftOut     func(name string) // hears of each path that is left out, but not of those below it; may be nil
	Compression Compression
	Platform    ocispec.Platform // of the image around the layer; linux/amd64 if zero
}

// EntryError is a path of a tree that can't go into a layer.
type EntryError struct {
	Path   string
	Reason string
	hint   string
}

func (e *EntryError) Error() string { return fmt.Sprintf("path %q: %s", e.Path, e.Reason) }

// Hint returns what to do about it.
func (e *EntryError) Hint() string { return e.hint }

// Tree packs a tree as one layer. It reports all paths that can't go in together, as
// [EntryError]s.
func Tree(ctx context.Context, store content.Store, o TreeOptions) (llb.Layer, error) {
	entries, err := selectTree(o)
	if err != nil {
		return llb.Layer{}, fmt.Errorf("packing layer %q: %w", o.Name, err)
	}
	return seal(ctx, store, o.Name, entries, o.Compression, o.Platform)
}

// selectTree lists the entries of the layer.
func selectTree(o TreeOptions) ([]entry, error) {
	found, err := scan(o.FS, o.Target, o.Include, o.Exclude, o.Ignore, o.LeftOut)
	if err == nil {
		err = errors.Join(checkKeys(found, func(name string) string { return path.Join(o.Target, name) }, o.Keep)...)
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrEmpty
	}
	target, err := targetDir(o.Target)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i].name = path.Join(target, found[i].name)
	}
	return withParents(found), nil
}

// scan lists the selected entries of a tree, with names relative to it.
func scan(fsys fs.FS, root string, include, exclude []string, ignore []byte, leftOut func(name string)) ([]entry, error) {
	sel, err := newSelection(include, exclude, ignore)
	if err != nil {
		return nil, err
	}
	sel.leftOut = leftOut
	var found []entry
	var problems []error
	err = sel.walk(fsys, func(name string, _ fs.DirEntry) error {
		e, lookErr := look(fsys, name)
		if _, unfit := errors.AsType[*EntryError](lookErr); unfit {
			problems = append(problems, lookErr)
			return nil
		}
		found = append(found, e)
		return lookErr
	})
	problems = append(problems, checkLinks(found, root)...)
	return found, errors.Join(append(problems, err)...)
}

// look returns the entry of one path.
func look(fsys fs.FS, name string) (entry, error) {
	// Not the DirEntry's own Info: this one stays within an os.Root.
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return entry{}, err
	}
	if strings.HasPrefix(path.Base(name), ".wh.") {
		return entry{}, &EntryError{
			Path: name, Reason: "a name that begins with .wh. deletes files in a layer",
			hint: "rename or exclude it",
		}
	}
	e := entry{name: name, mode: 0o755}
	switch info.Mode().Type() {
	case fs.ModeDir:
		e.kind = directory
	case fs.ModeSymlink:
		e.kind, e.mode = symlink, 0o777
		e.link, err = fs.ReadLink(fsys, name)
	case 0:
		e.kind, e.size = file, info.Size()
		e.open = func() (io.ReadCloser, error) { return fsys.Open(name) }
		if info.Mode()&0o100 == 0 { // the owner's bit, like git: an umask may clear the others
			e.mode = 0o644
		}
	default:
		return entry{}, &EntryError{
			Path: name, Reason: "is " + beneath.Kind(info.Mode()), hint: "remove or exclude it",
		}
	}
	return e, err
}

// checkLinks refuses the symlinks that lead out of the tree.
func checkLinks(entries []entry, root string) (problems []error) {
	links := map[string]string{}
	outside := map[string]bool{}
	for _, e := range entries {
		if e.kind != symlink {
			continue
		}
		target, ok := inTree(e.link, root)
		links[e.name], outside[e.name] = target, !ok
	}
	for _, e := range entries {
		if e.kind == symlink && (outside[e.name] || escapes(links, e.name)) {
			problems = append(problems, &EntryError{
				Path:   e.name,
				Reason: fmt.Sprintf("symlink to %q leads out of the tree", e.link),
				hint:   "replace it with a copy of its target, or exclude it",
			})
		}
	}
	return problems
}
