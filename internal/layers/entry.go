package layers

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// entry is one entry of a layer.
type entry struct {
	name string // in the image, without a leading or trailing slash
	mode int64  // 0755 or 0644
	size int64
	link string // target of a symlink
	kind kind
	open func() (io.ReadCloser, error) // of a file
}

type kind int

const (
	directory kind = iota
	file
	symlink
)

// tarName returns the name in a tar.
func (e entry) tarName() string {
	if e.kind == directory {
		return e.name + "/"
	}
	return e.name
}

// targetDir checks target, an absolute clean path in the image, and returns it
// as in a tar; "" is the root.
func targetDir(target string) (string, error) {
	if !path.IsAbs(target) || path.Clean(target) != target || strings.ContainsRune(target, 0) {
		return "", fmt.Errorf("target %q is not an absolute clean path", target)
	}
	return target[1:], nil
}

// withParents adds the missing directories above the entries, and sorts all like a walk:
// a directory before its content, and its content before the directory's next
// sibling.
func withParents(entries []entry) []entry {
	have := make(map[string]bool, len(entries))
	for _, e := range entries {
		have[e.name] = true
	}
	all := slices.Clone(entries)
	for _, e := range entries {
		for dir := path.Dir(e.name); dir != "." && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			all = append(all, entry{name: dir, mode: 0o755, kind: directory})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return CompareWalk(a.name, b.name) })
	return all
}

// CompareWalk orders two paths like a sorted walk, by their elements: "a/b" before
// "a.txt", though "." sorts before "/".
func CompareWalk(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return rank(a[i]) - rank(b[i])
		}
	}
	return len(a) - len(b)
}

// rank sorts the slash before every other byte.
func rank(c byte) int {
	if c == '/' {
		return -1
	}
	return int(c)
}

// paths returns the entries as llb.Layer lists them.
func paths(entries []entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = "/" + e.tarName()
	}
	slices.Sort(list)
	return list
}
