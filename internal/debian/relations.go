package debian

import (
	"fmt"
	"regexp"
	"strings"

	"pault.ag/go/debian/version"
)

// Relation is one name in a field such as Depends: "libc6:any (>= 2.36)".
type Relation struct {
	Name    string
	Arch    string // "any", an architecture, or nothing
	Op      string // "<<", "<=", "=", ">=", ">>", or nothing
	Version string
}

// String returns r as in a field.
func (r Relation) String() string {
	text := r.Name
	if r.Arch != "" {
		text += ":" + r.Arch
	}
	if r.Op != "" {
		text += " (" + r.Op + " " + r.Version + ")"
	}
	return text
}

// Indexes, unlike sources, have no architectures in brackets and no profiles.
var relation = regexp.MustCompile(`^([^\s:(),|]+)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*(\w[^\s()]*)\s*\))?$`)

// ParseRelations parses a field: a list of required entries, each a list of alternatives.
func ParseRelations(field string) ([][]Relation, error) {
	var list [][]Relation
	for entry := range strings.SplitSeq(field, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		var alternatives []Relation
		for item := range strings.SplitSeq(entry, "|") {
			m := relation.FindStringSubmatch(strings.TrimSpace(item))
			if m == nil {
				return nil, fmt.Errorf("%q is not a name, with or without a version", strings.TrimSpace(item))
			}
			r := Relation{Name: m[1], Arch: m[2], Op: m[3], Version: m[4]}
			if r.Op == "<" || r.Op == ">" { // as dpkg still reads them
				r.Op += "="
			}
			alternatives = append(alternatives, r)
		}
		list = append(list, alternatives)
	}
	return list, nil
}

// Met reports whether a version satisfies r; "" is none, which only satisfies a relation
// without a version.
func (r Relation) Met(have string) bool {
	if r.Op == "" {
		return true
	}
	a, err := version.Parse(have)
	b, bad := version.Parse(r.Version)
	if err != nil || bad != nil || have == "" {
		return false
	}
	switch c := version.Compare(a, b); r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	default:
		return c == 0
	}
}
