package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is the path of a directory that may not exist yet.
type Place struct {
	Typed string // what the user typed, which may be a link or lead through links; "." by default
	Below string // what the user didn't type: steps below that, each of which must be a directory
}

// Typed returns the place that the user typed.
func Typed(dir string) Place { return Place{Typed: dir} }

// String returns the path.
func (p Place) String() string { return filepath.Join(p.Typed, p.Below) }

// Open opens the directory.
func (p Place) Open() (*os.Root, error) {
	root, err := p.typed()
	if err != nil || p.Below == "" {
		return root, err
	}
	below, err := Dir(root, p.Below)
	return below, errors.Join(err, root.Close())
}

// typed opens the directory that was typed. It opens nothing else: a FIFO would block.
func (p Place) typed() (*os.Root, error) {
	info, err := os.Stat(p.Typed)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is not a directory", p.Typed)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(filepath.Clean(p.Typed))
}

// Make makes the directory and those above it if they are missing, and opens it.
func (p Place) Make() (*os.Root, error) {
	if err := os.MkdirAll(p.Typed, 0o755); err != nil { //nolint:gosec // images are meant to be read by others
		return nil, err
	}
	at, err := p.typed()
	for _, step := range p.steps() {
		if err != nil {
			return nil, err
		}
		above := at
		if err = above.Mkdir(step, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
			at, err = child(above, step)
		}
		err = errors.Join(err, above.Close())
	}
	return at, err
}

// Missing returns the directories that Make would make, the topmost first.
func (p Place) Missing() []Place {
	var missing []Place
	for at := p; !at.exists(); at = at.above() {
		missing = append(missing, at)
	}
	slices.Reverse(missing)
	return missing
}

// Nearest opens the place, or else the nearest existing directory above it.
func (p Place) Nearest() (*os.Root, error) {
	root, err := p.Open()
	if errors.Is(err, fs.ErrNotExist) && p != p.above() {
		return p.above().Nearest()
	}
	return root, err
}

// Remove removes the directory if it is empty.
func (p Place) Remove() error {
	if p.Below == "" {
		return os.Remove(p.Typed)
	}
	above, err := p.above().Open()
	if err != nil {
		return err
	}
	return errors.Join(above.Remove(filepath.Base(p.Below)), above.Close())
}

func (p Place) exists() bool {
	if p == p.above() {
		return true
	}
	if p.Below == "" {
		_, err := os.Lstat(p.Typed)
		return !errors.Is(err, fs.ErrNotExist)
	}
	above, err := p.above().Open()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	_, err = above.Lstat(filepath.Base(p.Below))
	_ = above.Close() // nothing was written
	return !errors.Is(err, fs.ErrNotExist)
}

// above returns the directory that holds p.
func (p Place) above() Place {
	if p.Below == "" {
		return Place{Typed: filepath.Dir(p.Typed)}
	}
	below := filepath.Dir(p.Below)
	if below == "." {
		below = ""
	}
	return Place{Typed: p.Typed, Below: below}
}

func (p Place) steps() []string {
	return strings.FieldsFunc(p.Below, func(r rune) bool { return r == filepath.Separator })
}
