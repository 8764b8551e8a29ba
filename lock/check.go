package lock

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check reports every entry that no resolver writes: a path that escapes its
// repository, a hash that is none, a set that nobody asked for, a wrong order.
func (l Lock) check() error {
	var faults []error
	for _, r := range l.Releases {
		if !hexSHA256.MatchString(r.SHA256) {
			faults = append(faults, fmt.Errorf("release %s %s: %q is not a sha256",
				r.Repository, r.Suite, r.SHA256))
		}
	}
	for _, p := range l.Packages {
		if err := l.checkPackage(p); err != nil {
			faults = append(faults, fmt.Errorf("package %s %s: %w", p.Name, p.Version, err))
		}
	}
	if !slices.IsSortedFunc(l.Packages, comparePackages) {
		faults = append(faults, errors.New("packages are not sorted by name, version and architecture"))
	}
	return errors.Join(append(faults, l.checkPython(), l.checkModels())...)
}

func (l Lock) checkPackage(p Package) error {
	var faults []error
	if p.Name == "" || p.Version == "" || p.Architecture == "" {
		faults = append(faults, errors.New("name, version and arch must be given"))
	}
	if !hexSHA256.MatchString(p.SHA256) {
		faults = append(faults, fmt.Errorf("%q is not a sha256", p.SHA256))
	}
	if p.Size <= 0 {
		faults = append(faults, fmt.Errorf("size %d is not positive", p.Size))
	}
	if !staysBelow(p.Path) {
		faults = append(faults, fmt.Errorf("path %q does not stay below the repository", p.Path))
	}
	return errors.Join(append(faults, l.checkSets(p.For, false))...)
}

// checkSets wants some set, of either packages or distributions, and every one to
// be asked for.
func (l Lock) checkSets(sets []Set, python bool) error {
	if len(sets) == 0 {
		return errors.New("no set wants it")
	}
	var faults []error
	for _, s := range sets {
		if s.Kind.isPython() != python || !l.asks(s) {
			faults = append(faults, fmt.Errorf("set %q was not asked for", s))
		}
	}
	return errors.Join(faults...)
}

func comparePackages(a, b Package) int {
	return cmp.Or(
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Version, b.Version),
		cmp.Compare(a.Architecture, b.Architecture),
	)
}
