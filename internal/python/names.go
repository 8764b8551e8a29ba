package python

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"lamina.build/internal/fault"
)

// checkNames refuses names in the spec that mean nothing: with a slip of the
// pen in it, what is optional is not, and what an sdist is built with is lost.
// A name is fine if any of the sets has it: the variants share most of a spec.
func checkNames(requests []Request, answers []answer) error {
	known := map[string]bool{}
	for i, a := range answers {
		requests[i].names(known)
		a.names(known)
	}
	delete(known, "") // of an archive whose name doesn't tell
	var faults []error
	told := map[string]bool{}
	check := func(key, name string) {
		if known[name] || told[key+name] {
			return
		}
		told[key+name] = true
		err := fmt.Errorf("[python] %s: %q is none of the packages that are installed%s", key, name, fault.DidYouMean(name, slices.Sorted(maps.Keys(known))))
		faults = append(faults, err)
	}
	for _, r := range requests {
		if r.Lock != "" || r.Project != "" {
			continue // a lock for many platforms has more names than apply here
		}
		for _, name := range r.Optional {
			check("optional", name)
		}
		for _, name := range slices.Sorted(maps.Keys(r.BuildRequires)) {
			check("build-requires", name)
		}
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

// names adds those that r has by itself: a requirement's marker may not hold
// here, and a source tree is in no lock.
func (r Request) names(known map[string]bool) {
	for _, w := range r.Files.Requirements {
		known[w.Name] = true
	}
	for name := range r.Sources {
		known[name] = true
	}
}

func (a answer) names(known map[string]bool) {
	for _, d := range a.Distributions {
		known[d.Name] = true
	}
	for _, o := range a.Omitted {
		known[o.Requirement] = true
	}
}
