package spec

import (
	"io/fs"
	"path"
	"regexp"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
)

// Decided are the projects of which the user decides, whatever others require: those
// that are left out, and those that are there in a version of the user's. Of a
// project of uv its own tables say that, too.
func (p Python) Decided(root fs.FS) (excludes, overridden []string, err error) {
	excludes, overrides := slices.Clone(p.Excludes), slices.Clone(p.Overrides)
	dir := p.Project
	if path.Base(p.Lock) == uvLock {
		dir = path.Dir(p.Lock)
	}
	if dir != "" {
		file, err := readPyproject(root, workspaceOf(root, dir))
		if err != nil {
			return nil, nil, failure.New(failure.Usage, err)
		}
		excludes = append(excludes, texts(file.Tool.UV["exclude-dependencies"])...)
		overrides = append(overrides, texts(file.Tool.UV["override-dependencies"])...)
	}
	return named(excludes), named(overrides), nil
}

// named are the projects that requirements begin with.
func named(lines []string) []string {
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i] = requirements.Normal(leadingName.FindString(line))
	}
	return names
}

var leadingName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*`)
