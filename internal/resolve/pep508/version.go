// Package pep508 judges the versions and markers of Python's requirements
// (https://peps.python.org/pep-0508/).
package pep508

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"deps.dev/util/semver"
)

var (
	clause  = regexp.MustCompile(`^\s*(===|[=!~<>]=|[<>])\s*(\S+)\s*$`)
	release = regexp.MustCompile(`^v?((?:\d+!)?\d+(?:\.\d+)*)`)
)

// SameVersion reports whether versions are equal by PEP 440: 1.0 equals 1.0.0.
func SameVersion(a, b string) bool {
	return a == b || compare(a, b) == 0 && strings.EqualFold(local(a), local(b))
}

// Admits reports whether a version satisfies specifiers, "" or ">=1,<2", by PEP 440.
// Pre-releases in the range do: the resolver decides whether to use one. A malformed
// specifier admits everything: the resolver has rejected it or understands it.
func Admits(specifiers, version string) bool {
	for text := range strings.SplitSeq(specifiers, ",") {
		if m := clause.FindStringSubmatch(text); m != nil && !admits(m[1], strings.ToLower(m[2]), strings.ToLower(version)) {
			return false
		}
	}
	return true
}

func admits(operator, wanted, version string) bool {
	prefix, wild := strings.CutSuffix(wanted, ".*")
	public := withoutLocal(version)
	switch {
	case operator == "===" || !isVersion(public):
		return wanted == version
	case !isVersion(prefix):
		return true
	}
	numbers := released(prefix)
	isRelease := strings.TrimPrefix(prefix, "v") == numbers // not a pre- or post-release
	switch operator {
	case "==", "!=":
		same := compare(public, prefix) == 0 && (local(prefix) == "" || local(prefix) == local(version))
		if wild {
			same = inSeries(public, numbers)
		}
		return same == (operator == "==")
	case "~=":
		cut := strings.LastIndexAny(numbers, ".!")
		return compare(public, prefix) >= 0 && (cut < 0 || inSeries(public, numbers[:cut]))
	case ">=":
		return compare(public, prefix) >= 0
	case "<=":
		return compare(public, prefix) <= 0
	case "<": // excludes pre-releases of the named release
		if isRelease {
			prefix += ".dev0"
		}
		return compare(public, prefix) < 0
	}
	if isRelease { // ">" excludes its post-releases
		public = released(public)
	}
	return compare(public, prefix) > 0
}

// released returns the numbers of a version.
func released(version string) string { return release.FindStringSubmatch(version)[1] }

// inSeries reports whether a version is in a series such as "1.2".
func inSeries(version, series string) bool {
	at := strings.LastIndexAny(series, ".!") + 1
	last, err := strconv.Atoi(series[at:])
	return err == nil && compare(version, series+".dev0") >= 0 && compare(version, fmt.Sprintf("%s%d.dev0", series[:at], last+1)) < 0
}

func isVersion(text string) bool {
	_, err := semver.PyPI.Parse(withoutLocal(text))
	return err == nil && release.MatchString(text) && !strings.Contains(text, "*")
}

func compare(a, b string) int { return semver.PyPI.Compare(withoutLocal(a), withoutLocal(b)) }

func withoutLocal(version string) string {
	public, _, _ := strings.Cut(version, "+")
	return public
}

// local returns the normalized local label of a version.
func local(version string) string {
	_, label, _ := strings.Cut(version, "+")
	return strings.NewReplacer("-", ".", "_", ".").Replace(label)
}
