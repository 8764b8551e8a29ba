package lock

import (
	"slices"
	"time"
)

// In returns the packages that a variant uses for a kind of set, sorted by name.
func (l Lock) In(kind Kind, variant string) []Package {
	return in(l.Packages, Package.sets, l.of(variant, Set{Kind: kind}))
}

// PythonIn returns the distributions that a variant installs, sorted by name.
func (l Lock) PythonIn(variant string) []Distribution {
	return in(l.Distributions, Distribution.sets, l.of(variant, Set{Kind: SetPython}))
}

// BuildIn returns the distributions with which a variant builds the sdist or git tree of a
// project, sorted by name.
func (l Lock) BuildIn(project, variant string) []Distribution {
	return in(l.Distributions, Distribution.sets, l.of(variant, Set{Kind: SetBuild, Project: project}))
}

// OmittedIn returns what a variant lacks.
func (l Lock) OmittedIn(variant string) []Omission {
	return in(l.Omitted, Omission.sets, l.of(variant, Set{Kind: SetPython}))
}

// of returns the set that a variant uses: its own if requested, otherwise the one that
// variants share.
func (l Lock) of(variant string, shared Set) Set {
	own := shared
	own.Variant = variant
	if l.asks(own) {
		return own
	}
	return shared
}

// asks reports whether a set was requested. Build requirements are requested by the set
// that installs the result.
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

// Created returns the date of an image built from l: that of the newest index of its
// packages. It changes only when l is made again.
func (l Lock) Created() time.Time {
	if len(l.Releases) == 0 {
		return time.Time{}
	}
	return slices.MaxFunc(l.Releases, func(a, b Release) int { return a.Date.Compare(b.Date) }).Date
}
