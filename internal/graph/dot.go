package graph

import (
	"fmt"
	"strings"
)

// DOT returns g for Graphviz, as in "build --print=dot | dot -Tsvg".
func (g Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n")
	for _, v := range g.Vertices {
		label := dotQuote(v.Label(), string(v.Kind))
		fmt.Fprintf(&b, "  %d [shape=%s, label=%s];\n", v.Number, shape(v.Kind), label)
	}
	for _, v := range g.Vertices {
		uses := v.uses()
		for i, in := range v.Inputs {
			fmt.Fprintf(&b, "  %d -> %d", in.Vertex, v.Number)
			if label := uses[i] + output(in); label != "" {
				fmt.Fprintf(&b, " [label=%s]", dotQuote(label))
			}
			b.WriteString(";\n")
		}
	}
	fmt.Fprintf(&b, "  result [shape=doublecircle];\n  %d -> result;\n}\n", g.Root.Vertex)
	return b.String()
}

func shape(k Kind) string {
	switch k {
	case Source:
		return "ellipse"
	case Exec:
		return "box"
	case File:
		return "note"
	case Merge:
		return "invtriangle"
	case Diff:
		return "triangle"
	}
	return "plaintext"
}

// dotQuote returns the non-empty lines as one DOT string.
func dotQuote(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var kept []string
	for _, line := range lines {
		if line != "" {
			kept = append(kept, escape.Replace(line))
		}
	}
	return `"` + strings.Join(kept, `\n`) + `"`
}
