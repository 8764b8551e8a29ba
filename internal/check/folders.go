package check

import (
	"errors"
	"strings"

	"lamina.build/llb"
)

// Folders checks layers of which only the folder is known that they fill, such
// as that of a git tree: no other layer may have anything in there, since nobody
// can tell which of the two would win. It returns an [OverlapError] for each pair.
func Folders(folders, layers []llb.Layer) error {
	var findings []error
	add := func(f, l llb.Layer) {
		if p, ok := within(f.Paths[0], l); ok {
			findings = append(findings, &OverlapError{Layers: [2]string{f.Name, l.Name}, Path: p})
		}
	}
	for i, f := range folders {
		for _, l := range layers {
			add(f, l)
		}
		for _, other := range folders[i+1:] {
			add(f, other)
			add(other, f)
		}
	}
	return errors.Join(findings...)
}

// within returns the first path of a layer that lies in a folder.
func within(folder string, l llb.Layer) (string, bool) {
	for _, p := range l.Paths {
		if strings.HasPrefix(p, folder) && p != folder {
			return strings.TrimSuffix(p, "/"), true
		}
	}
	return "", false
}
