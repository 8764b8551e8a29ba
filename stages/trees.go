package stages

// trees are the layers of git trees. A commit names all of its content, so that
// a lock has nothing to add to a spec that names one.
func trees(in Input) []Part {
	parts := make([]Part, len(in.Trees))
	for i, t := range in.Trees {
		parts[i] = Part{Stage: "git", What: t.Name() + " in " + t.Path, State: t.Layer()}
	}
	return parts
}
