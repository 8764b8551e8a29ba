package debian

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/failure"
)

// Near returns a few names of packages that a misspelt one may have meant, the
// nearest first.
func (x *Index) Near(name string) []string {
	distance := map[string]int{}
	limit := 1 + len(name)/4
	previous := ""
	for _, p := range x.all {
		if p.Name == previous {
			continue
		}
		previous = p.Name
		d := failure.Distance(name, p.Name, limit)
		if isAffix(name, p.Name) {
			d = min(d, 1) // numpy for python3-numpy
		}
		if d <= limit {
			distance[p.Name] = d
		}
	}
	near := slices.SortedFunc(maps.Keys(distance), func(a, b string) int {
		return cmp.Or(cmp.Compare(distance[a], distance[b]), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return near[:min(len(near), 3)]
}

// isAffix tells whether what was asked for is a whole part of a name, as numpy
// of python3-numpy, or a name with the number of a library left off.
func isAffix(asked, name string) bool {
	if len(asked) < 3 {
		return false
	}
	return strings.HasSuffix(name, "-"+asked) || strings.HasPrefix(name, asked) && isVersionTail(name[len(asked):])
}

func isVersionTail(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.-") == ""
}

// rank prefers what people mean over its by-products.
func rank(name string) int {
	switch {
	case strings.HasPrefix(name, "python3-"):
		return 0
	case strings.HasSuffix(name, "-doc"), strings.HasSuffix(name, "-dbg"), strings.HasSuffix(name, "-dbgsym"):
		return 3
	case strings.HasSuffix(name, "-dev"):
		return 2
	}
	return 1
}
