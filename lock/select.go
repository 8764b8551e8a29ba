package lock

import (
	"slices"
	"time"
)

// In returns the packages that a variant takes for a kind of set, sorted by name.
func (l Lock) In(kind Kind, variant string) []Package {
	return in(l.Packages, Package.sets, l.of(variant, Set{Kind: kind}))
}

// PythonIn returns the distributions that a variant installs, sorted by name.
func (l Lock) PythonIn(variant string) []Distribution {
	return in(l.Distributions, Distribution.sets, l.of(variant, Set{Kind: SetPython}))
}

// BuildIn returns what a variant builds the sdist or git tree of a project with,
// sorted by name.
func (l Lock) BuildIn(project, variant string) []Distribution {
	return in(l.Distributions, Distribution.sets, l.of(variant, Set{Kind: SetBuild, Project: project}))
}

// OmittedIn returns what a variant goes without.
func (l Lock) OmittedIn(variant string) []Omission {
	return in(l.Omitted, Omission.sets, l.of(variant, Set{Kind: SetPython}))
}

// of is the set that a variant takes: its own where it was asked for, otherwise
// the one that variants share.
func (l Lock) of(variant string, shared Set) Set {
	own := shared
	own.Variant = variant
	if l.asks(own) {
		return own
	}
	return shared
}

// asks says whether a set was asked for. What something is built with is asked
// for by who installs it.
func (l Lock) asks(s Set) bool {
	if s.Kind.isPython() {
		installs := Set{Kind: SetPython, Variant: s.Variant}
		return slices.ContainsFunc(l.Python, func(r PythonRequest) bool { return r.Set == installs })
	}
	return slices.ContainsFunc(l.Requests, func(r Request) bool { return r.Set == s })
}

func in[E any](list []E, sets func(E) []Set, set Set) []E {
	var found []E
	for _, e := range list {
		if slices.Contains(sets(e), set) {
			found = append(found, e)
		}
	}
	return found
}

func (p Package) sets() []Set      { return p.For }
func (d Distribution) sets() []Set { return d.For }
func (o Omission) sets() []Set     { return []Set{o.Set} }

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
	slices.SortFunc(l.Packages, comparePackages)
	slices.SortFunc(l.Releases, compareReleases)
	slices.SortFunc(l.Distributions, compareDistributions)
	slices.SortFunc(l.Omitted, compareOmissions)
	slices.SortFunc(l.Models, compareModels)
	for i := range l.Packages {
		slices.SortFunc(l.Packages[i].For, Set.Compare)
	}
	for i := range l.Distributions {
		slices.SortFunc(l.Distributions[i].For, Set.Compare)
	}
	for i := range l.Models {
		slices.SortFunc(l.Models[i].Files, compareModelFiles)
	}
}
