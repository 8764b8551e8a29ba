package requirements

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
	suffix  = regexp.MustCompile(`^v?(?:\d+!)?\d+(?:\.\d+)*(.*)$`)
	isPost  = regexp.MustCompile(`(?:^|[-_.\d])(?:post|rev|r[-_.]?(?:\d|$))|^-\d`)
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
	base := release.FindStringSubmatch
	sameRelease := compare(base(public)[1], base(prefix)[1]) == 0
	switch operator {
	case "==", "!=":
		same := compare(public, withoutLocal(prefix)) == 0 && (local(prefix) == "" || local(prefix) == local(version))
		if wild {
			same = inSeries(public, prefix)
		}
		return same == (operator == "==")
	case "~=":
		whole := base(prefix)[1]
		cut := strings.LastIndexAny(whole, ".!")
		return compare(public, prefix) >= 0 && (cut < 0 || inSeries(public, whole[:cut]))
	case ">=":
		return compare(public, prefix) >= 0
	case "<=":
		return compare(public, prefix) <= 0
	}
	// Neither includes what comes just before or after a release that it names.
	isNear := sameRelease && after(prefix) == ""
	if operator == "<" {
		return compare(public, prefix) < 0 && (!isNear || !isBefore(public))
	}
	return compare(public, prefix) > 0 && (!isNear || !isPost.MatchString(after(public)))
}

// inSeries says whether a version is of the series "1.2".
func inSeries(version, series string) bool {
	series = release.FindStringSubmatch(series)[1]
	at := strings.LastIndexAny(series, ".!") + 1
	last, err := strconv.Atoi(series[at:])
	return err == nil && compare(version, series+".dev0") >= 0 && compare(version, fmt.Sprintf("%s%d.dev0", series[:at], last+1)) < 0
}

// after is what follows a version's release: "rc1", ".post1".
func after(version string) string { return suffix.FindStringSubmatch(version)[1] }

// isBefore says whether a version comes before its release.
func isBefore(version string) bool {
	return strings.Contains(version, "dev") || after(version) != "" && !isPost.MatchString(after(version))
}

func isVersion(text string) bool {
	_, err := semver.PyPI.Parse(withoutLocal(text))
	return err == nil && !strings.Contains(text, "*")
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
