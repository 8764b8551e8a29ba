package apt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/debian"
	"lamina.build/lock"
)

// checkSets rejects sets that would not install: with missing dependencies, conflicts, or
// two versions of one package. Apt should never return one; this proves that it did not.
func checkSets(w lock.Requirements, arch string, found map[lock.Set][]*debian.Package) error {
	var problems []error
	for _, r := range w.Requests {
		packages := found[r.Set]
		switch r.Set.Kind {
		case lock.SetBootstrap:
			continue // never installed
		case lock.SetExtra:
			base := w.Requests[runtimeOf(w.Requests, r.Set.Variant)].Set
			packages = slices.Concat(found[base], packages)
		}
		for _, err := range checkSet(arch, packages) {
			problems = append(problems, fmt.Errorf("%s: %w", r.Set, err))
		}
	}
	return errors.Join(problems...)
}

// checkSet returns what prevents installing exactly these packages.
func checkSet(arch string, packages []*debian.Package) []error {
	s := set{arch: arch, byName: map[string]*debian.Package{}, provided: map[string][]provision{}}
	var problems []error
	for _, p := range packages {
		if twin, twice := s.byName[p.Name]; twice {
			problems = append(problems, fmt.Errorf("%s is present in two versions, %s and %s", p.Name, twin.Version, p.Version))
			continue
		}
		s.byName[p.Name] = p
		problems = append(problems, s.addProvisions(p)...)
	}
	for _, p := range packages {
		problems = append(problems, s.checkNeeds(p)...)
		problems = append(problems, s.checkEnemies(p)...)
	}
	return problems
}

// set has packages that are installed together, by all their names.
type set struct {
	arch     string // of the image
	byName   map[string]*debian.Package
	provided map[string][]provision
}

// provision is one package providing another, with a version or without.
type provision struct {
	by      *debian.Package
	version string
}

func (s set) addProvisions(p *debian.Package) []error {
	provides, err := debian.ParseRelations(p.Provides)
	if err != nil {
		return []error{fmt.Errorf("reading what %s provides: %w", p, err)}
	}
	for _, r := range slices.Concat(provides...) {
		if s.isHere(r.Arch) {
			s.provided[r.Name] = append(s.provided[r.Name], provision{by: p, version: r.Version})
		}
	}
	return nil
}

func (s set) checkNeeds(p *debian.Package) []error {
	var problems []error
	for _, field := range []string{p.PreDepends, p.Depends} {
		needs, err := debian.ParseRelations(field)
		if err != nil {
			problems = append(problems, fmt.Errorf("reading what %s needs: %w", p, err))
			continue
		}
		for _, alternatives := range needs {
			if !slices.ContainsFunc(alternatives, func(r debian.Relation) bool { return len(s.answering(r)) > 0 }) {
				problems = append(problems, fmt.Errorf("%s requires %s, which is missing", p, words(alternatives)))
			}
		}
	}
	return problems
}

func words(alternatives []debian.Relation) string {
	list := make([]string, len(alternatives))
	for i, r := range alternatives {
		list[i] = r.String()
	}
	return strings.Join(list, " | ")
}

func (s set) checkEnemies(p *debian.Package) []error {
	var problems []error
	for _, field := range []string{p.Conflicts, p.Breaks} {
		enemies, err := debian.ParseRelations(field)
		if err != nil {
			problems = append(problems, fmt.Errorf("reading what %s conflicts with: %w", p, err))
			continue
		}
		for _, r := range slices.Concat(enemies...) {
			for _, enemy := range s.answering(r) {
				// A package may conflict with all other providers of what it provides.
				if enemy != p {
					problems = append(problems, fmt.Errorf("%s conflicts with %s (%s)", p, enemy, r))
				}
			}
		}
	}
	return problems
}

// answering returns the packages that satisfy a relation, by name or by providing it. Only
// a versioned provision satisfies a versioned relation.
func (s set) answering(r debian.Relation) []*debian.Package {
	if !s.isHere(r.Arch) {
		return nil
	}
	var found []*debian.Package
	if p, ok := s.byName[r.Name]; ok && r.Met(p.Version) {
		found = append(found, p)
	}
	for _, v := range s.provided[r.Name] {
		if r.Met(v.version) {
			found = append(found, v.by)
		}
	}
	return found
}

// isHere reports whether an image has packages of an architecture that a relation names:
// only one exists, next to "all", which counts as it.
func (s set) isHere(arch string) bool {
	return arch == "" || arch == "any" || arch == "native" || arch == s.arch
}
