package lock

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Drift returns where l doesn't fit the requirements of a spec, one sentence for each
// difference, in terms of the spec.
func (l Lock) Drift(spec Requirements) []string {
	var drift []string
	if l.Platform != spec.Platform {
		drift = append(drift, fmt.Sprintf("platform: the lock is for %s, the spec wants %s",
			l.Platform, spec.Platform))
	}
	drift = append(drift, driftList("suites", l.Suites, spec.Suites)...)
	drift = append(drift, driftList("components", l.Components, spec.Components)...)
	drift = append(drift, driftRepositories(l.Repositories, spec.Repositories)...)
	drift = append(drift, driftRequests(l.Requests, spec.Requests)...)
	drift = append(drift, driftRequests(each(l.Python, PythonRequest.request), each(spec.Python, PythonRequest.request))...)
	drift = append(drift, changes("model", each(l.ModelRequests, ModelRequest.line), each(spec.ModelRequests, ModelRequest.line))...)
	return append(drift, l.driftPlaces(spec)...)
}

// request is r as a [Request], to be compared as one.
func (r PythonRequest) request() Request { return Request{Set: r.Set, Packages: r.Lines} }

// driftList compares two lists by their entries, then by order, which decides which of
// two equal versions is used.
func driftList(what string, locked, wanted []string) []string {
	drift := changes(what, locked, wanted)
	if len(drift) == 0 && !slices.Equal(locked, wanted) {
		return []string{fmt.Sprintf("%s: the spec orders them %s", what, strings.Join(wanted, ", "))}
	}
	return drift
}

func changes(what string, locked, wanted []string) []string {
	var drift []string
	for _, w := range wanted {
		if !slices.Contains(locked, w) {
			drift = append(drift, fmt.Sprintf("%s: the spec adds %s", what, w))
		}
	}
	for _, h := range locked {
		if !slices.Contains(wanted, h) {
			drift = append(drift, fmt.Sprintf("%s: the spec no longer has %s", what, h))
		}
	}
	return drift
}

func driftRepositories(locked, wanted []Repository) []string {
	name := func(r Repository) string { return r.Name }
	drift := changes("repositories", each(locked, name), each(wanted, name))
	for _, w := range wanted {
		for _, h := range locked {
			if h.Name == w.Name && value(reflect.ValueOf(h)) != value(reflect.ValueOf(w)) {
				drift = append(drift, fmt.Sprintf(
					"repositories: %s has another url, suite, component or key", w.Name,
				))
			}
		}
	}
	return drift
}

func driftRequests(locked, wanted []Request) []string {
	var drift []string
	for _, w := range wanted {
		i := slices.IndexFunc(locked, func(h Request) bool { return h.Set == w.Set })
		if i < 0 {
			drift = append(drift, fmt.Sprintf("%s: not locked yet (%s)", w.Set, strings.Join(w.Packages, ", ")))
			continue
		}
		drift = append(drift, changes(w.Set.String(), locked[i].Packages, w.Packages)...)
	}
	for _, h := range locked {
		if !slices.ContainsFunc(wanted, func(w Request) bool { return w.Set == h.Set }) {
			drift = append(drift, fmt.Sprintf("%s: the spec no longer requests it", h.Set))
		}
	}
	return drift
}
