package apt

import (
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// question is what apt is asked for one set.
type question struct {
	set      lock.Set
	kind     kind
	base     int // what an addition adds to: the place of another question
	packages []string
}

// kind says how the packages of a set are found. Its word begins the name of
// the question's file.
type kind string

const (
	download kind = "download" // the named packages alone
	install  kind = "install"  // with all that they need
	addition kind = "add"      // what is needed beyond another set
)

// questions turns the requests into questions, in the same order. What the base
// asks for, every set that is installed asks for first: they all hold it.
func questions(requests []lock.Request) ([]question, error) {
	list := make([]question, len(requests))
	base := baseOf(requests)
	for i, r := range requests {
		q := question{set: r.Set, kind: install, packages: r.Packages}
		switch r.Set.Kind {
		case lock.SetBootstrap:
			q.kind = download
		case lock.SetExtra:
			q.kind = addition
			q.base = runtimeOf(requests, r.Set.Variant)
			if q.base < 0 {
				return nil, failure.New(failure.Usage, fmt.Errorf("set %q adds to a runtime that was not asked for", r.Set))
			}
		default:
			q.packages = slices.Concat(base, without(r.Packages, base))
		}
		list[i] = q
	}
	return list, nil
}

// runtimeOf returns the place of the runtime that a variant is built on.
func runtimeOf(requests []lock.Request, variant string) int {
	for _, set := range []lock.Set{{Kind: lock.SetRuntime, Variant: variant}, {Kind: lock.SetRuntime}} {
		if i := slices.IndexFunc(requests, func(r lock.Request) bool { return r.Set == set }); i >= 0 {
			return i
		}
	}
	return -1
}

// baseOf is what the base asks for, the essential packages in any case.
func baseOf(requests []lock.Request) []string {
	for _, r := range requests {
		if r.Set.Kind == lock.SetBase {
			return slices.Concat([]string{essential}, without(r.Packages, []string{essential}))
		}
	}
	return []string{essential}
}

func without(list, items []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(items, s) })
}

// name is that of the files of a question: sets have letters in their names
// that a shell would see something in.
func name(i int) string { return fmt.Sprintf("%03d", i) }

// files returns the questions as the script reads them.
func files(list []question) map[string]string {
	out := map[string]string{}
	for i, q := range list {
		lines := q.packages
		if q.kind == addition {
			lines = append([]string{name(q.base)}, lines...)
		}
		out["/"+string(q.kind)+"-"+name(i)] = strings.Join(lines, "\n") + "\n"
	}
	return out
}
