package rehearsal

import (
	"fmt"
	"io/fs"
	"slices"
)

// Example is a folder as a rehearsal sees it: without what builds leave in it.
func Example(folder fs.FS) fs.FS { return example{folder} }

// Check says why a folder is nothing that a world could stand around: it has to be
// the example, or something that was made of it.
func Check(folder fs.FS) error {
	text, err := fs.ReadFile(folder, specName)
	if err == nil && !modelAddress.Match(text) {
		err = fmt.Errorf("%s names no revision of a model of a hub", specName)
	}
	return err
}

type example struct{ fs.FS }

// ReadDir leaves out of the folder what is no part of the example: the lock is of the
// real internet, and dist has images.
func (e example) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(e.FS, name)
	if name == "." {
		entries = slices.DeleteFunc(entries, func(d fs.DirEntry) bool {
			return slices.Contains([]string{"image.lock", "dist", ".git"}, d.Name())
		})
	}
	return entries, err
}
