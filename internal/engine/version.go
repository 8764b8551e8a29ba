package engine

import (
	"strconv"
	"strings"
)

// Version is BuildKit's version that the private engine is built from and that
// digests are promised for. A test holds it equal to engine.mod and go.mod.
const Version = "v0.34.2"

// oldest is the first version that is taken: v0.31.0 knows State.Requires, on which exports
// wait for smoke tests, and v0.31.2 mends what BuildKit's advisories of that time tell.
const oldest = "v0.31.2"

// parseVersion reads v1.2.3 with or without the v and whatever suffix.
func parseVersion(s string) (v [3]int, ok bool) {
	s = strings.TrimPrefix(s, "v")
	if end := strings.IndexAny(s, "-+"); end >= 0 {
		s = s[:end]
	}
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > len(v) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return v, false
		}
		v[i] = n
	}
	return v, v != [3]int{} // a buildkitd built without a version says v0.0.0+unknown
}
