package stages

import (
	"slices"
	"strings"

	"lamina.build/lock"
)

// rulesFor returns the globs that may match a file of some wheels, in order. A
// glob that begins with a name concerns those that have it, so that a further one
// for a small wheel doesn't install gigabytes of others anew.
func rulesFor(globs []string, wheels []lock.Distribution) []string {
	var rules []string
	for _, glob := range globs {
		first, _, _ := strings.Cut(strings.TrimPrefix(glob, "!"), "/")
		if strings.ContainsAny(first, "*?") || slices.Contains(localFolders(), first) ||
			slices.ContainsFunc(wheels, func(d lock.Distribution) bool { return brings(d, first) }) {
			rules = append(rules, glob)
		}
	}
	return rules
}

// brings says whether a wheel has a file or folder of a name below site-packages,
// as far as that is known.
func brings(d lock.Distribution, name string) bool {
	return len(d.Top) == 0 || slices.Contains(d.Top, name)
}

// localFolders are those of /usr/local, where wheels may have files as well.
func localFolders() []string {
	return []string{"bin", "etc", "games", "include", "lib", "libexec", "man", "sbin", "share", "src", "var"}
}
