package lock

import (
	"regexp"
	"strings"
)

var separators = regexp.MustCompile(`[-_.]+`)

// NormalName returns a Python project's name as indexes and locks spell it: in lower
// case, with a single - for every run of - _ and . (PEP 503).
func NormalName(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }
