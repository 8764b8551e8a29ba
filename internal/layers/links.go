package layers

import (
	"path"
	"strings"
)

// maxHops is how many links the kernel follows before it gives up.
const maxHops = 40

// escapes reports whether the symlink at name leads out of the tree. links has the
// targets of all the tree's symlinks; absolute ones in the image below root must be
// relative to the top ("/" + rest). A link to a missing path inside the tree is not an
// escape, nor is a loop.
func escapes(links map[string]string, name string) bool {
	hops := 0
	at := []string{}
	todo := strings.Split(name, "/")
	for len(todo) > 0 {
		element := todo[0]
		todo = todo[1:]
		switch element {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return true
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, element)
		target, ok := links[path.Join(at...)]
		if !ok {
			continue
		}
		if hops++; hops > maxHops {
			return false
		}
		at = at[:len(at)-1]
		if strings.HasPrefix(target, "/") {
			at = at[:0]
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return false
}

// inTree returns a link's target in the form of escapes. An absolute target is a path in
// the image: it is in the tree only if it is below the tree's root there.
func inTree(target, root string) (string, bool) {
	if !path.IsAbs(target) {
		return target, true
	}
	// Not cleaned, since ".." after a link doesn't cancel it; a ".." on
	// the way to the tree itself is refused.
	rest, ok := strings.CutPrefix(target, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return "/" + rest, true
}
