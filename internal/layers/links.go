package layers

import (
	"path"
	"strings"
)

// maxHops is how many links the kernel follows before it gives up.
const maxHops = 40

// escapes tells whether the symlink at name leads out of the tree. links holds
// the targets of all the tree's symlinks, absolute ones of the image below
// root already made relative to the top ("/" + rest). A link that leads
// nowhere inside the tree is no escape, and neither is a loop.
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

// inTree returns a link's target as escapes wants it. An absolute target is a
// path of the image: it is in the tree only below the tree's own place there.
func inTree(target, root string) (string, bool) {
	if !path.IsAbs(target) {
		return target, true
	}
	// Not cleaned, since ".." after a link is not what it looks like; a ".."
	// in the way to the tree itself is refused.
	rest, ok := strings.CutPrefix(target, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return "/" + rest, true
}
