package requirements

import "strings"

// Normal returns the one spelling of a project's name by which indexes know
// it: lower case, with a single - for every run of - _ and .
// (https://packaging.python.org/en/latest/specifications/name-normalization/,
// PEP 503).
func Normal(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case !isSeparator(c):
			b.WriteByte(lower(c))
		case i == 0 || !isSeparator(name[i-1]):
			b.WriteByte('-')
		}
	}
	return b.String()
}

func isSeparator(c byte) bool { return c == '-' || c == '_' || c == '.' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isName tells whether s may name a project or one of its extras: letters and
// digits, and between them - _ and . (the same specification).
func isName(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && !isSeparator(s[i]) {
			return false
		}
	}
	return s != "" && isAlphanumeric(s[0]) && isAlphanumeric(s[len(s)-1])
}
