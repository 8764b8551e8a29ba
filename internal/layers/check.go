package layers

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"lamina.build/llb"
)

// baseFacts describes the base below the layers.
type baseFacts struct {
	links   map[string]string      // directories that are symlinks in the base, with their targets
	special map[string]fs.FileMode // directories that a plain 0755 root:root entry would corrupt
	system  []string               // directories in which the engine or the container runtime mounts
	files   []string               // files that belong to the base or are replaced at run time
}

// PathError is a path that a layer must not contain.
type PathError struct {
	Layer  string
	Path   string
	Reason string
	hint   string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("layer %q: path %q: %s", e.Layer, e.Path, e.Reason)
}

// Hint returns what to do about it.
func (e *PathError) Hint() string { return e.hint }

// OverlapError is a path in two layers that only one may have.
type OverlapError struct {
	Layers [2]string
	Path   string
	Kinds  bool // a directory in one of them, something else in the other
}

func (e *OverlapError) Error() string {
	what := "is in both"
	if e.Kinds {
		what = "is a directory in one and not in the other"
	}
	return fmt.Sprintf("layers %q and %q: path %q %s", e.Layers[0], e.Layers[1], e.Path, what)
}

// Hint returns what to do about it.
func (e *OverlapError) Hint() string {
	return fmt.Sprintf("exclude %s from one of the two, or give one another target path", e.Path)
}

// CountError is an image with too many layers.
type CountError struct{ Layers int }

func (e *CountError) Error() string {
	return fmt.Sprintf("the image has %d layers, but no more than %d can be mounted", e.Layers, llb.MaxLayers)
}

// Hint returns what to do about it.
func (e *CountError) Hint() string { return "lower the limit for the layers of weights" }

// Check compares layers with each other and with Debian's base, for what a merge would
// corrupt silently. count is how many layers the image has in all. Of directories, such as
// that of a git tree, only the path is known that the layer alone fills. Check returns all
// findings, joined and in a stable order: each is a [PathError], an [OverlapError] or a
// [CountError].
func Check(count int, layers, directories []llb.Layer) error {
	var findings []error
	if count > llb.MaxLayers {
		findings = append(findings, &CountError{Layers: count})
	}
	base, all := debianFacts(), slices.Concat(layers, directories)
	for _, l := range all {
		findings = append(findings, checkPaths(base, l)...)
	}
	return errors.Join(slices.Concat(findings, overlaps(all), checkDirs(directories, layers))...)
}

// checkPaths checks one layer against the base. Of a refused directory it reports only
// the topmost path.
func checkPaths(base baseFacts, l llb.Layer) (findings []error) {
	refused := ""
	for _, p := range pathsWithParents(l.Paths) {
		if refused != "" && strings.HasPrefix(p, refused) {
			continue
		}
		e := base.refuse(p)
		if e == nil {
			continue
		}
		e.Layer, e.Path = l.Name, strings.TrimSuffix(p, "/")
		findings = append(findings, e)
		if refused = p; !strings.HasSuffix(p, "/") {
			refused += "/"
		}
	}
	return findings
}

// refuse returns why p can't be in a layer, or nil.
func (b baseFacts) refuse(p string) *PathError {
	clean := strings.TrimSuffix(p, "/")
	name := path.Base(clean)
	switch target, link := b.links[clean]; {
	case p == "/" || !path.IsAbs(p) || path.Clean(p) != clean:
		return &PathError{Reason: "is not a clean absolute path"}
	case strings.HasPrefix(name, ".wh."):
		return &PathError{Reason: "is a whiteout: it deletes files of other layers"}
	case link:
		return &PathError{
			Reason: fmt.Sprintf("is a symlink to %s in the base, and would be replaced", target),
			hint:   fmt.Sprintf("use %s instead", target),
		}
	case b.special[clean] != 0:
		return &PathError{
			Reason: fmt.Sprintf("has the mode %s or its own owner in the base, which would be reset",
				octal(b.special[clean])),
			hint: "choose another target path, such as /app, /srv or /opt",
		}
	case slices.Contains(b.system, clean):
		return &PathError{
			Reason: "is mounted over when a container runs",
			hint:   "choose another target path, such as /app, /srv or /opt",
		}
	case slices.Contains(b.files, clean):
		return &PathError{
			Reason: "belongs to the base or to the container runtime", hint: "leave it out of the layer",
		}
	}
	return nil
}

// octal formats a mode like chmod.
func octal(m fs.FileMode) string {
	bits := m.Perm()
	for i, special := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if m&special != 0 {
			bits |= 0o1000 << i
		}
	}
	return fmt.Sprintf("%04o", uint32(bits))
}

// pathsWithParents adds the directories above the paths: a layer may omit their entries,
// but they must exist.
func pathsWithParents(paths []string) []string {
	all := slices.Clone(paths)
	seen := map[string]bool{}
	for _, p := range paths {
		dir := path.Dir(strings.TrimSuffix(p, "/"))
		for ; dir != "/" && dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			all = append(all, dir+"/")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// overlaps finds the paths that more than one layer contains, except directories in all
// of them.
func overlaps(layers []llb.Layer) []error {
	type owner struct {
		layer int
		dir   bool
	}
	first := map[string]owner{}
	var found []*OverlapError
	for i, l := range layers {
		for _, p := range pathsWithParents(l.Paths) {
			clean := strings.TrimSuffix(p, "/")
			mine := owner{layer: i, dir: strings.HasSuffix(p, "/")}
			other, ok := first[clean]
			if !ok {
				first[clean] = mine
				continue
			}
			if other.dir && mine.dir {
				continue
			}
			found = append(found, &OverlapError{
				Layers: [2]string{layers[other.layer].Name, l.Name}, Path: clean, Kinds: other.dir != mine.dir,
			})
		}
	}
	slices.SortStableFunc(found, func(a, b *OverlapError) int { return cmp.Compare(a.Path, b.Path) })
	errs := make([]error, len(found))
	for i, e := range found {
		errs[i] = e
	}
	return errs
}
