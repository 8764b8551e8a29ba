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

// SameVersion compares as PEP 440 does: 1.0 and 1.0.0 are one version.
func SameVersion(a, b string) bool {
	return a == b || compare(a, b) == 0 && strings.EqualFold(local(a), local(b))
}

// Admits says whether a version satisfies specifiers, "" or ">=1,<2", by PEP 440.
// Versions before a release do, where they are in the range: which of them is taken is a
// resolver's to say. A specifier that is none admits all: what resolved has refused it,
// or knows what it means.
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
	isRelease := strings.TrimPrefix(prefix, "v") == numbers // and not one before or after it
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
	case "<": // nor what comes before a release that it names
		if isRelease {
			prefix += ".dev0"
		}
		return compare(public, prefix) < 0
	}
	if isRelease { // nor what comes after it
		public = released(public)
	}
	return compare(public, prefix) > 0
}

// released are the numbers of a version.
func released(version string) string { return release.FindStringSubmatch(version)[1] }

// inSeries says whether a version is of the series "1.2".
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

// local is what a builder has added to a version, in its one spelling.
func local(version string) string {
	_, label, _ := strings.Cut(version, "+")
	return strings.NewReplacer("-", ".", "_", ".").Replace(label)
}
