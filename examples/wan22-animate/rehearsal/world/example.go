package world

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Example returns a directory for a rehearsal: without what builds leave in it.
func Example(directory fs.FS) fs.FS { return example{directory} }

// Check reports why a directory can't be rehearsed: it must be the example, or a
// variation of it.
func Check(directory fs.FS) error {
	text, err := fs.ReadFile(directory, specName)
	if err != nil {
		return err
	}
	found := modelAddress.FindAllSubmatch(text, -1)
	for _, m := range found {
		if name := string(m[1]); repositories[name] == nil {
			return fmt.Errorf("%s names the model %s, but the hub of a rehearsal has only %s", specName, name, strings.Join(slices.Sorted(maps.Keys(repositories)), ", "))
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%s names no revision of a model of a hub", specName)
	}
	return nil
}

type example struct{ fs.FS }

// ReadDir leaves out what isn't part of the example: the lock is for the real internet,
// and dist has images.
func (e example) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(e.FS, name)
	if name == "." {
		entries = slices.DeleteFunc(entries, func(d fs.DirEntry) bool {
			return slices.Contains([]string{"image.lock", "dist", ".git", "rehearsal"}, d.Name())
		})
	}
	return entries, err
}
