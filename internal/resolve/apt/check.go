package apt

import (
	"errors"
	"fmt"
	"slices"

	"pault.ag/go/debian/dependency"
	"pault.ag/go/debian/version"

	"lamina.build/internal/debian"
	"lamina.build/lock"
)

// checkSets refuses sets that would not install: one that lacks something, that
// holds enemies, or two versions of one package. Apt should never answer so;
// this is the proof that it did not.
func checkSets(w lock.Wishes, found map[lock.Set][]*debian.Package) error {
	var faults []error
	for _, r := range w.Requests {
		packages := found[r.Set]
		switch r.Set.Kind {
		case lock.SetBootstrap:
			continue // never installed
		case lock.SetExtra:
			base := w.Requests[runtimeOf(w.Requests, r.Set.Variant)].Set
			packages = slices.Concat(found[base], packages)
		}
		for _, err := range checkSet(packages) {
			faults = append(faults, fmt.Errorf("%s: %w", r.Set, err))
		}
	}
	return errors.Join(faults...)
}

// checkSet says what keeps packages from being installed together and alone.
func checkSet(packages []*debian.Package) []error {
	s := set{byName: map[string]*debian.Package{}, provided: map[string][]provision{}}
	var faults []error
	for _, p := range packages {
		if twin, twice := s.byName[p.Name]; twice {
			faults = append(faults, fmt.Errorf("%s is there in two versions, %s and %s", p.Name, twin.Version, p.Version))
			continue
		}
		s.byName[p.Name] = p
		faults = append(faults, s.addProvisions(p)...)
	}
	for _, p := range packages {
		faults = append(faults, s.checkNeeds(p)...)
		faults = append(faults, s.checkEnemies(p)...)
	}
	return faults
}

// set is what is installed together, by the names it can be asked for.
type set struct {
	byName   map[string]*debian.Package
	provided map[string][]provision
}

// provision is that a package counts as another one, in a version or in none.
type provision struct {
	by      *debian.Package
	version string
}

func (s set) addProvisions(p *debian.Package) []error {
	provides, err := dependency.Parse(p.Provides)
	if err != nil {
		return []error{fmt.Errorf("reading what %s provides: %w", p, err)}
	}
	for _, relation := range provides.Relations {
		for _, possibility := range relation.Possibilities {
			v := provision{by: p}
			if possibility.Version != nil {
				v.version = possibility.Version.Number
			}
			s.provided[possibility.Name] = append(s.provided[possibility.Name], v)
		}
	}
	return nil
}

func (s set) checkNeeds(p *debian.Package) []error {
	var faults []error
	for _, field := range []string{p.PreDepends, p.Depends} {
		needs, err := dependency.Parse(field)
		if err != nil {
			faults = append(faults, fmt.Errorf("reading what %s needs: %w", p, err))
			continue
		}
		for _, relation := range needs.Relations {
			if !slices.ContainsFunc(relation.Possibilities, func(want dependency.Possibility) bool {
				return len(s.answering(want)) > 0
			}) {
				faults = append(faults, fmt.Errorf("%s needs %s, which is not there", p, relation))
			}
		}
	}
	return faults
}

func (s set) checkEnemies(p *debian.Package) []error {
	var faults []error
	for _, field := range []string{p.Conflicts, p.Breaks} {
		enemies, err := dependency.Parse(field)
		if err != nil {
			faults = append(faults, fmt.Errorf("reading what %s conflicts with: %w", p, err))
			continue
		}
		for _, relation := range enemies.Relations {
			for _, possibility := range relation.Possibilities {
				for _, enemy := range s.answering(possibility) {
					// A package may conflict with all others that provide what it provides.
					if enemy != p {
						faults = append(faults, fmt.Errorf("%s can not be with %s (%s)", p, enemy, possibility))
					}
				}
			}
		}
	}
	return faults
}

// answering returns the packages that are what a relation names, themselves or
// by providing it. Only a versioned provision meets a versioned relation.
func (s set) answering(want dependency.Possibility) []*debian.Package {
	var found []*debian.Package
	if p, ok := s.byName[want.Name]; ok && meets(p.Version, want.Version) {
		found = append(found, p)
	}
	for _, v := range s.provided[want.Name] {
		if meets(v.version, want.Version) {
			found = append(found, v.by)
		}
	}
	return found
}

func meets(have string, want *dependency.VersionRelation) bool {
	if want == nil {
		return true
	}
	v, err := version.Parse(have)
	return err == nil && want.SatisfiedBy(v)
}
