package uv

import (
	"slices"

	"lamina.build/lock"
)

// fill puts the answers of all requests into a lock, every file once.
func fill(l *lock.Lock, o Options, answers []answer) {
	entries := map[string]lock.Distribution{}
	add := func(e lock.Distribution, set lock.Set) {
		key := e.Name + " " + e.Version + " " + e.URL
		if known, ok := entries[key]; ok {
			e = known
		} else {
			e.For = nil
		}
		if !slices.Contains(e.For, set) {
			e.For = append(e.For, set)
		}
		entries[key] = e
	}
	before := versions{o.Before, Upgrade{}}
	for i, a := range answers {
		r := o.Requests[i]
		build := func(project string) lock.Set {
			return lock.Set{Kind: lock.SetBuild, Project: project, Variant: r.Set.Variant}
		}
		known := before.known(r)
		for _, d := range a.Distributions {
			add(d.entry(), r.Set)
			set := build(d.Name)
			if _, resolved := a.Builds[d.Name]; resolved || d.Kind == kindWheel || !slices.Contains(known, id(d.entry())) {
				continue
			}
			for _, e := range before.set(set) {
				add(e, set)
			}
		}
		for project, list := range a.Builds {
			for _, d := range list {
				add(d.entry(), build(project))
			}
		}
		for _, omitted := range a.Omitted {
			l.Omitted = append(l.Omitted, lock.Omission{Set: r.Set, Requirement: omitted.Requirement, Reason: omitted.Reason})
		}
	}
	for _, e := range entries {
		l.Distributions = append(l.Distributions, e)
	}
	if len(l.Distributions) > 0 {
		l.UV = o.uv
	}
	l.Sort()
}
