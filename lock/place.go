package lock

import (
	"fmt"
	"slices"
	"strings"
)

// Place is a repository where a spec allows the layers of a model to be published.
type Place struct {
	Model      ModelRequest
	Repository string // "registry.example/model"
}

// Place returns the repository where the model's layers are published, without the digest.
func (m Model) Place() string {
	place, _, _ := strings.Cut(m.Published, "@")
	return place
}

// PlacesOf returns the repositories that the spec names for a model: variants may name
// several.
func (w Requirements) PlacesOf(r ModelRequest) (places []string) {
	for _, p := range w.Places {
		if p.Model.Compare(r) == 0 && !slices.Contains(places, p.Repository) {
			places = append(places, p.Repository)
		}
	}
	return places
}

// Misplaced returns the models whose published repository in the lock isn't named by the
// spec: anybody may have written it, and a build would merge its content.
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
