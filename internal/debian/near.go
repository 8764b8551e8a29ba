package debian

import "strings"

// editDistance counts the letters to insert, remove, replace or swap with their
// neighbour that make b of a. What is more than limit is told as limit+1.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit+1)
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
