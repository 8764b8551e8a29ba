package engine

import (
	"strconv"
	"strings"
)

// Version is the BuildKit version that the private engine is built from and that digests
// are promised for. A test compares it with engine.mod and go.mod.
const Version = "v0.34.2"

// oldest is the first version accepted: v0.31.0 has State.Requires, on which exports
// wait for smoke tests, and v0.31.2 fixes the BuildKit advisories of that time.
const oldest = "v0.31.2"

// parseVersion parses v1.2.3, with or without the v and a suffix.
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
	return v, v != [3]int{} // a buildkitd built without a version reports v0.0.0+unknown
}
