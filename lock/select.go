package lock

import (
	"slices"
	"sort"
	"time"
)

// In returns the packages of one set, sorted by name. Of a set that exists for
// the given variant alone, as "runtime@blackwell", that one is taken; otherwise
// the set that all variants share.
func (l Lock) In(set, variant string) []Package {
	if own := set + "@" + variant; l.asks(own) {
		set = own
	}
	var in []Package
	for _, p := range l.Packages {
		if slices.Contains(p.For, set) {
			in = append(in, p)
		}
	}
	return in
}

func (l Lock) asks(set string) bool {
	return slices.ContainsFunc(l.Requests, func(r Request) bool { return r.Set == set })
}

// Find returns the package of that name in a list.
func Find(packages []Package, name string) (Package, bool) {
	i := slices.IndexFunc(packages, func(p Package) bool { return p.Name == name })
	if i < 0 {
		return Package{}, false
	}
	return packages[i], true
}

// Created is the date that an image built from l bears: that of the newest
// index its packages were taken from. It moves only when l is made anew.
func (l Lock) Created() time.Time {
	var newest time.Time
	for _, r := range l.Releases {
		if r.Date.After(newest) {
			newest = r.Date
		}
	}
	return newest
}

// Sort brings the entries of l into the order that [Lock.Format] and [Parse] expect.
func (l *Lock) Sort() {
	sortBy(l.Packages, comparePackages)
	sortBy(l.Releases, compareReleases)
	sortBy(l.Distributions, compareDistributions)
	sortBy(l.Omitted, compareOmissions)
	sortBy(l.Models, compareModels)
	for i := range l.Packages {
		slices.Sort(l.Packages[i].For)
	}
	for i := range l.Distributions {
		slices.Sort(l.Distributions[i].For)
	}
	for i := range l.Models {
		sortBy(l.Models[i].Files, compareModelFiles)
	}
}

// sortBy sorts large structs. slices.SortFunc would be compiled anew for each of
// them, which takes 20 kB of the program each time.
func sortBy[T any](list []T, compare func(a, b T) int) {
	sort.Slice(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
