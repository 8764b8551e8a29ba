package spec

import (
	"slices"
	"strings"

	"lamina.build/lock"
)

// Local returns the folder beside the spec that the model is in; ok is false
// for one that has to be fetched.
func (m Model) Local() (folder string, ok bool) { return strings.CutPrefix(m.From, "dir:") }

// Request is what a lock has to answer for a model that has to be fetched.
func (m Model) Request() lock.ModelRequest {
	return lock.ModelRequest{From: m.From, Path: m.Path, Include: m.Include, Exclude: m.Exclude, Rename: m.Rename}
}

// modelWishes are the models of all variants that have to be fetched, also
// of those that bring none: what these fetch at run time is locked, too.
func modelWishes(specs []Spec) []lock.ModelRequest {
	var list []lock.ModelRequest
	for _, s := range specs {
		for _, m := range s.Models {
			if _, local := m.Local(); !local {
				list = append(list, m.Request())
			}
		}
	}
	slices.SortFunc(list, lock.ModelRequest.Compare)
	return slices.CompactFunc(list, func(a, b lock.ModelRequest) bool { return a.Compare(b) == 0 })
}
