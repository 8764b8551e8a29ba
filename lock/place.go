package lock

import (
	"fmt"
	"slices"
	"strings"
)

// Place is the repository where a spec lets the layers of a model be published.
type Place struct {
	Model      ModelRequest
	Repository string // "registry.example/model"
}

// Place is where the layers of the model are published, without their digest.
func (m Model) Place() string {
	place, _, _ := strings.Cut(m.Published, "@")
	return place
}

// PlacesOf are those that the spec names for a model: variants may name several.
func (w Requirements) PlacesOf(r ModelRequest) (places []string) {
	for _, p := range w.Places {
		if p.Model.Compare(r) == 0 && !slices.Contains(places, p.Repository) {
			places = append(places, p.Repository)
		}
	}
	return places
}

// Misplaced are the models that the lock says are published where the spec names no
// place for them: anybody may have written that, and a build would merge what is there.
func (l Lock) Misplaced(spec Requirements) []Model {
	return slices.DeleteFunc(slices.Clone(l.Models), func(m Model) bool {
		return m.Published == "" || slices.Contains(spec.PlacesOf(m.ModelRequest), m.Place())
	})
}

func (l Lock) driftPlaces(spec Requirements) (drift []string) {
	for _, m := range l.Misplaced(spec) {
		named := "no place"
		if places := spec.PlacesOf(m.ModelRequest); len(places) > 0 {
			named = strings.Join(places, ", ")
		}
		drift = append(drift, fmt.Sprintf("model: the lock has %s published in %s, the spec names %s", m.From, m.Place(), named))
	}
	return drift
}
