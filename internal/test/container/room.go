package container

import (
	"path/filepath"

	"lamina.build/internal/atomicfile"
)

// OpenRoom makes a directory, a temporary of path that is never committed, for a program's
// machines and other files. It removes what killed programs have left there: with runc,
// containers that still run, and then the files.
func OpenRoom(path string, runc func() (string, error)) (*atomicfile.Temporary, error) {
	for _, left := range atomicfile.Leftovers(path) {
		if err := cleanup(left, runc); err != nil {
			return nil, err
		}
	}
	return atomicfile.Dir(path, 0o700)
}

// cleanup ends the containers of all machines one or two levels below a directory. What can't
// be ended stays.
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
