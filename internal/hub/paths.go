package hub

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// PathError is a file that can not go into an image, or not as it is listed.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string { return "path " + strconv.Quote(e.Path) + ": " + e.Reason }

// checkPaths reports every path that leads out of its folder, that means
// something else in a layer, that is there twice, or that is the folder of another.
func checkPaths(files []File) error {
	names := map[string]bool{}
	var faults []*PathError
	add := func(name, reason string) { faults = append(faults, &PathError{name, reason}) }
	for _, f := range files {
		if reason := unfit(f.Path); reason != "" {
			add(f.Path, reason)
		} else if names[f.Path] {
			add(f.Path, "is there twice")
		}
		names[f.Path] = true
	}
	for name := range names {
		for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if names[dir] {
				add(name, "lies below the file "+strconv.Quote(dir))
			}
		}
	}
	slices.SortFunc(faults, func(a, b *PathError) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason)) })
	joined := make([]error, len(faults))
	for i, f := range faults {
		joined[i] = f
	}
	return errors.Join(joined...)
}

// unfit says what is wrong with a path, if anything. A backslash isn't, and
// neither is another path that differs in case alone: to Linux they are names.
func unfit(name string) string {
	switch {
	case name == "." || !fs.ValidPath(name):
		return "not a clean path below its folder"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character in it"
	case len(name) > 4000:
		return "longer than 4,000 bytes, and the system's limit is near"
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case strings.HasPrefix(element, ".wh."):
			return "a name that begins with .wh. deletes files in a layer"
		case len(element) > 255:
			return "has a name longer than 255 bytes in it"
		}
	}
	return ""
}
