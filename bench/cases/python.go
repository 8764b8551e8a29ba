package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// python are the cases of Python packages: all folders that have a spec. Each has one
// row, and its README says what is odd about it.
func python(folder string) (all []aCase, err error) {
	specs, err := filepath.Glob(filepath.Join(folder, "python", "*", "image.toml"))
	if err != nil {
		return nil, err
	}
	for _, spec := range specs {
		dir := filepath.Dir(spec)
		odd, err := os.ReadFile(filepath.Join(dir, "README")) //nolint:gosec // a case
		if err != nil {
			return nil, err
		}
		name := filepath.Base(dir)
		all = append(all, aCase{"python/" + name, shorten(firstLine(string(odd))), (*call).pythonCase})
	}
	return all, nil
}

// refused are the cases that no lock can be made of: what uv refuses, and beyond uv what
// leaves its place, is there twice, or can't start. All others have an image.
var refused = []string{
	"bad-entry", "conda-freeze", "entry-case", "git-dependency-unpinned", "module-hint", "musl-only", "pylock-no-packages", "pylock-twice", "require-hashes",
	"requires-python-none", "sdist-abs-link", "sdist-wrong-name", "sdist-wrong-version", "url-dependency", "zip-slip",
}

func (c *call) pythonCase() []row {
	name := filepath.Base(c.source)
	c.serve("127.0.0.1:8765", filepath.Join(filepath.Dir(c.source), "serve")) // the port that the cases have in them
	locked := c.build(c.dir, "lock")
	if locked.code != 0 {
		return []row{{seen: "lock: " + locked.String(), ok: locked.code == 2 && slices.Contains(refused, name)}}
	}
	o := c.build(c.dir)
	return []row{{seen: fmt.Sprintf("lock: exit 0; image: %s", o), ok: o.code == 0 && !slices.Contains(refused, name)}}
}
