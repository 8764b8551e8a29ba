package solve

import (
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// outputLimit is how much of a step's output is kept for its error, in bytes:
// a compiler's first complaint may lie far above the last line.
const outputLimit = 64 << 10

// recorder remembers names and output of steps while a build runs.
type recorder struct {
	names   map[digest.Digest]string
	outputs map[digest.Digest][]byte
}

// watch passes every status on and ends when the channel is closed.
func (r *recorder) watch(in <-chan *client.SolveStatus, out chan<- *client.SolveStatus) {
	defer close(out)
	r.names, r.outputs = map[digest.Digest]string{}, map[digest.Digest][]byte{}
	for s := range in {
		for _, v := range s.Vertexes {
			r.names[v.Digest] = v.Name
		}
		for _, l := range s.Logs {
			r.keep(l.Vertex, l.Data)
		}
		out <- s
	}
}

func (r *recorder) keep(vertex digest.Digest, data []byte) {
	all := slices.Concat(r.outputs[vertex], data)
	if over := len(all) - outputLimit; over > 0 {
		all = all[over:]
	}
	r.outputs[vertex] = all
}

// Pruned is what a rule kept out of the installed wheels.
type Pruned struct {
	Rule  string `json:"rule"` // glob, as in the spec or of the usual ones
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Removed is what was made for one machine while packages were installed, and no image keeps.
type Removed struct {
	Kind string `json:"kind"` // "ssh host key"
	Path string `json:"path"`
}

// Marks begin a line in which an installation says what it left out
// (internal/scripts/finish_wheels.py, made.sh). A step that was cached says nothing.
const (
	prunedMark  = "lamina: pruned "
	removedMark = "lamina: removed "
)

// pruned sums up what all steps said, by rule.
func (r *recorder) pruned() []Pruned {
	sums := map[string]Pruned{}
	for _, output := range r.outputs {
		for one := range said[Pruned](output, prunedMark) {
			sum := sums[one.Rule]
			sums[one.Rule] = Pruned{one.Rule, sum.Files + one.Files, sum.Bytes + one.Bytes}
		}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Pruned) int { return strings.Compare(a.Rule, b.Rule) })
}

// removed is what all steps said but the builder's, which is in no image.
func (r *recorder) removed() (list []Removed) {
	for vertex, output := range r.outputs {
		if !strings.HasPrefix(r.names[vertex], "builder: ") {
			list = slices.AppendSeq(list, said[Removed](output, removedMark))
		}
	}
	slices.SortFunc(list, func(a, b Removed) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Path, b.Path))
	})
	return slices.Compact(list)
}

// said yields what follows a mark at the beginning of a line.
func said[T any](output []byte, mark string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for line := range strings.Lines(string(output)) {
			var one T
			if text, ok := strings.CutPrefix(line, mark); ok && json.Unmarshal([]byte(text), &one) == nil && !yield(one) {
				return
			}
		}
	}
}
