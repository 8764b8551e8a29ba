package uv

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/lock"
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
	check := func(r Request, key, name string) {
		if known[name] || told[key+name] {
			return
		}
		told[key+name] = true
		err := fmt.Errorf("%s[python] %s: %q is none of the packages that are installed%s", r.at(key, name), key, name, failure.DidYouMean(name, slices.Sorted(maps.Keys(known))))
		faults = append(faults, err)
	}
	for _, r := range requests {
		if r.Lock != "" || r.Project != "" {
			continue // a lock for many platforms has more names than apply here
		}
		for _, name := range r.Optional {
			check(r, "optional", name)
		}
		for _, name := range slices.Sorted(maps.Keys(r.BuildRequires)) {
			check(r, "build-requires", name)
		}
	}
	return failure.New(failure.Usage, errors.Join(faults...))
}

// tellUnasked tells of projects that are bound to an index for nothing: with a slip of
// the pen in its name, the one that is meant comes from any index.
func (o Options) tellUnasked(requests []Request, answers []answer) {
	known, told := map[string]bool{}, map[string]bool{}
	for i, a := range answers {
		requests[i].names(known)
		a.names(known)
		for _, d := range a.all() {
			known[d.Name] = true
		}
	}
	for _, d := range o.Before.Distributions { // what is built as it was is not asked for anew
		if slices.ContainsFunc(d.For, func(set lock.Set) bool { return set.Kind == lock.SetBuild }) {
			known[d.Name] = true
		}
	}
	for _, r := range requests {
		for _, index := range r.Indexes {
			for _, name := range index.Packages {
				if r.Lock == "" && r.Project == "" && !known[name] && !told[name] {
					told[name] = true
					o.Note(fmt.Sprintf("%sindex %s has %q, which nothing asks for%s", r.at("packages", name), index.Name, name, failure.DidYouMean(name, slices.Sorted(maps.Keys(known)))))
				}
			}
		}
	}
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
