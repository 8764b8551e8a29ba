package apt

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/debian"
	"lamina.build/lock"
)

// Drift lists what locking the requirements would never have written about packages, one
// sentence each. It covers all that can be checked without a download: only apt and the
// signed indexes, when a lock is made, show that a package is needed and its hash right.
func Drift(w lock.Requirements, l lock.Lock) (drift []string) {
	say := func(format string, args ...any) { drift = append(drift, fmt.Sprintf(format, args...)) }
	arch, _ := debianArch(w.Platform) // a spec has no other
	for _, p := range l.Packages {
		if problem := unlike(p, w, arch); problem != "" {
			say("package %s %s: %s", p.Name, p.Version, problem)
		}
	}
	for _, r := range w.Requests {
		there := l.In(r.Set.Kind, r.Set.Variant)
		if r.Set.Kind == lock.SetExtra { // it extends the runtime
			there = slices.Concat(there, l.In(lock.SetRuntime, r.Set.Variant))
		}
		for _, asked := range r.Packages {
			name, _, _ := cutName(asked)
			if i := slices.IndexFunc(l.Provided, func(p lock.Provision) bool { return p.Name == asked }); i >= 0 {
				name = l.Provided[i].By
			}
			if _, ok := lock.Find(there, name); !ok && name != essential {
				say("%s: %s is not locked", r.Set, name)
			}
		}
	}
	for _, s := range sourcesOf(w) {
		if !slices.ContainsFunc(l.Releases, func(r lock.Release) bool { return r.Repository == s.Repository && r.Suite == s.Suite }) {
			say("suites: the lock has no index of %s %s", s.Repository, s.Suite)
		}
	}
	for _, r := range l.Releases {
		if !slices.ContainsFunc(sourcesOf(w), func(s debian.Source) bool { return r.Repository == s.Repository && r.Suite == s.Suite }) {
			say("suites: the spec has no index of %s %s", r.Repository, r.Suite)
		}
	}
	return drift
}

// unlike says why the requirements can't lead to p, or returns "".
func unlike(p lock.Package, w lock.Requirements, arch string) string {
	isOwn := func(r lock.Repository) bool { return r.Name == p.Repository }
	isOfDebian := func(suite string) bool { return debian.RepositoryOf(suite) == p.Repository }
	switch {
	case p.Architecture != "all" && p.Architecture != arch:
		return fmt.Sprintf("it is for %s; the image is for %s", p.Architecture, arch)
	case slices.ContainsFunc(w.Repositories, isOwn):
		return "" // its paths are its own affair
	case !slices.ContainsFunc(w.Suites, isOfDebian):
		return fmt.Sprintf("the spec has no repository %q", p.Repository)
	}
	below := strings.TrimPrefix(p.Path, "pool/")
	if p.Repository == debian.Security {
		below = strings.TrimPrefix(below, "updates/")
	}
	inComponent := func(component string) bool { return strings.HasPrefix(below, component+"/") }
	switch {
	case path.Base(p.Path) != p.FileName():
		return fmt.Sprintf("path %q belongs to another package", p.Path)
	case below == p.Path || !slices.ContainsFunc(w.Components, inComponent):
		return fmt.Sprintf("path %q is in no component of the spec", p.Path)
	}
	return ""
}
