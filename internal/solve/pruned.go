package solve

import (
	"encoding/json"
	"slices"
	"strings"
)

// Pruned is what a rule kept out of the installed wheels.
type Pruned struct {
	Rule  string `json:"rule"` // glob, as in the spec or of the usual ones
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// prunedMark begins a line in which an installation says what it left out
// (internal/scripts/finish_wheels.py). A step that was cached says nothing.
const prunedMark = "lamina: pruned "

// pruned sums up what all steps said, by rule.
func (r *recorder) pruned() []Pruned {
	sums := map[string]Pruned{}
	for _, output := range r.outputs {
		for line := range strings.Lines(string(output)) {
			text, ok := strings.CutPrefix(line, prunedMark)
			var one Pruned
			if !ok || json.Unmarshal([]byte(text), &one) != nil {
				continue
			}
			sum := sums[one.Rule]
			sums[one.Rule] = Pruned{one.Rule, sum.Files + one.Files, sum.Bytes + one.Bytes}
		}
	}
	list := make([]Pruned, 0, len(sums))
	for _, p := range sums {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Pruned) int { return strings.Compare(a.Rule, b.Rule) })
	return list
}
