package graph

import (
	"fmt"
	"strings"
)

// fewLeaves is how many sources in a row a tree shows without summarising them: a base
// consists of hundreds of packages.
const fewLeaves = 6

// Tree returns g from its result down to its sources, indented. A vertex with several users is
// shown in full the first time and only named after that.
func (g Graph) Tree() string {
	t := tree{Graph: g, shown: make(map[int]bool)}
	t.vertex(g.Root, "", "", "")
	return t.String()
}

type tree struct {
	Graph
	strings.Builder
	shown map[int]bool
}

// vertex writes one vertex after lead and its inputs after indent.
func (t *tree) vertex(in Input, lead, indent, use string) {
	v := t.Vertices[in.Vertex]
	fmt.Fprintf(t, "%s%d %s%s", lead, v.Number, v.Kind, output(in))
	if use != "" {
		fmt.Fprintf(t, " at %s", use)
	}
	if label := v.Label(); label != "" {
		fmt.Fprintf(t, "  %s", label)
	}
	again := t.shown[v.Number] && len(v.Inputs) > 0
	if again {
		fmt.Fprint(t, "  (see above)")
	}
	fmt.Fprintln(t)
	t.shown[v.Number] = true
	if !again {
		t.inputs(v, indent)
	}
}

func (t *tree) inputs(v Vertex, indent string) {
	uses := v.uses()
	for i := 0; i < len(v.Inputs); {
		n := 1
		if run := t.leaves(v.Inputs[i:]); run > fewLeaves {
			n = run
		}
		lead, below := "├─ ", "│  "
		if i+n == len(v.Inputs) {
			lead, below = "└─ ", "   "
		}
		if n == 1 {
			t.vertex(v.Inputs[i], indent+lead, indent+below, uses[i])
		} else {
			t.sum(v.Inputs[i:i+n], indent+lead)
		}
		i += n
	}
}

// leaves counts the sources at the head of inputs.
func (t *tree) leaves(inputs []Input) int {
	for i, in := range inputs {
		if t.Vertices[in.Vertex].Kind != Source {
			return i
		}
	}
	return len(inputs)
}

func (t *tree) sum(inputs []Input, lead string) {
	first, last := t.Vertices[inputs[0].Vertex], t.Vertices[inputs[len(inputs)-1].Vertex]
	fmt.Fprintf(t, "%s%d sources  %s … %s\n", lead, len(inputs), first.Label(), last.Label())
}

func output(in Input) string {
	if in.Output == 0 {
		return ""
	}
	return fmt.Sprintf("[%d]", in.Output)
}
