package debian

import "strings"

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
