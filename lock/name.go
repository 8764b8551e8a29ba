package lock

import (
	"regexp"
	"strings"
)

var separators = regexp.MustCompile(`[-_.]+`)

// NormalName returns the one spelling of a Python project's name by which indexes and
// locks know it: lower case, with a single - for every run of - _ and . (PEP 503).
func NormalName(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }
