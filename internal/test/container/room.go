package container

import (
	"path/filepath"

	"lamina.build/internal/atomicfile"
)

// OpenRoom makes a directory, for what will never be at path, in which a program has its
// machines among whatever else it makes. What programs that were killed have left there
// goes: containers that still run, for which runc is asked, and then the files.
func OpenRoom(path string, runc func() (string, error)) (*atomicfile.Temporary, error) {
	for _, left := range atomicfile.Leftovers(path) {
		if err := cleanup(left, runc); err != nil {
			return nil, err
		}
	}
	return atomicfile.Dir(path)
}

// cleanup ends the containers of all machines below a directory, each of which lies one or
// two directories deep. What can't be ended stays.
func cleanup(dir string, runc func() (string, error)) error {
	for _, depth := range []string{"*", "*/*"} {
		states, err := filepath.Glob(filepath.Join(dir, depth, stateName, "lamina-*"))
		if err != nil {
			return err
		}
		for _, state := range states {
			name, err := runc()
			if err != nil {
				return err
			}
			m := &Machine{runc: name, dir: filepath.Dir(filepath.Dir(state))}
			_ = m.command("delete", "--force", filepath.Base(state)).Run() // see [Container.Remove]
		}
	}
	return nil
}
