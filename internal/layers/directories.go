package layers

import (
	"fmt"
	"regexp"
	"strings"

	"lamina.build/llb"
)

// debians matches directories whose content is Debian's own, or a system's: what a tree
// would replace there is unknown.
var debians = regexp.MustCompile(`^/(boot|etc|home|media|mnt|opt|root|run|srv|tmp|usr|var)$` +
	`|^/usr/[^/]+$|^/usr/lib/[^/]+$|^/usr/local/(bin|etc|include|lib|sbin|share|src)$|^/var/(backups|cache|lib|local|lock|log|mail|opt|run|spool|tmp)$`)

// checkDirs checks layers that each fill a directory alone: no other layer may have
// anything in there, since it isn't known which of the two would win. It returns a
// [PathError] for each pair.
func checkDirs(directories, layers []llb.Layer) (findings []error) {
	add := func(f, l llb.Layer) {
		if p, ok := within(f.Paths[0], l); ok {
			findings = append(findings, &PathError{
				Layer: l.Name, Path: p, Reason: fmt.Sprintf("lies in %s, which %q fills alone", strings.TrimSuffix(f.Paths[0], "/"), f.Name),
				hint: "give one of the two another path",
			})
		}
	}
	for i, f := range directories {
		if at := strings.TrimSuffix(f.Paths[0], "/"); debians.MatchString(at) {
			findings = append(findings, &PathError{
				Layer: f.Name, Path: at, Reason: "is a directory that Debian's packages fill, too", hint: "give the tree its own directory below it, or below /opt",
			})
		}
		for _, l := range layers {
			add(f, l)
		}
		for _, other := range directories[i+1:] {
			add(f, other)
			add(other, f)
		}
	}
	return findings
}

// within returns the first path of a layer that lies in a directory.
func within(directory string, l llb.Layer) (string, bool) {
	for _, p := range l.Paths {
		if strings.HasPrefix(p, directory) && p != directory {
			return strings.TrimSuffix(p, "/"), true
		}
	}
	return "", false
}
