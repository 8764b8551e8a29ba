package solve

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
)

// Marks begin a line that a step prints for the summary: an installation prints what it left
// out, a check findings that are no problem (internal/scripts: finish_wheels.py, made.sh,
// check_layer.py, elf_closure.py). Text follows noteMark, JSON the others.
const (
	mark        = "lamina: "
	prunedMark  = mark + "pruned "
	removedMark = mark + "removed "
	noteMark    = mark + "note "
)

// Pruned is what a rule kept out of the installed wheels.
type Pruned struct {
	Rule  string `json:"rule"` // glob, from the spec or the defaults
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Removed is a file made for one machine while packages were installed, which no image keeps.
type Removed struct {
	Kind string `json:"kind"` // "ssh host key"
	Path string `json:"path"`
}

// told returns the lines that the steps of a graph printed for the summary, except for the
// builder, which is in no image. On a cache hit a step prints nothing: the lines of its last
// run here are kept in dir, which may be "".
func (r *recorder) told(def *bkllb.Definition, dir string) (all []byte) {
	keys := keysOf(def)
	for _, data := range def.Def {
		id := digest.FromBytes(data)
		if name := def.Metadata[id].Description["llb.customname"]; strings.HasPrefix(name, "builder: ") {
			continue
		}
		var own []byte
		for line := range bytes.Lines(r.outputs[id]) {
			if bytes.HasPrefix(line, []byte(mark)) {
				own = append(append(own, bytes.TrimRight(line, "\r\n")...), '\n')
			}
		}
		if key := keys[id]; dir != "" && key != "" {
			own = keepTold(filepath.Join(dir, key.Encoded()), own)
		}
		seen := map[string]bool{} // at the end of a step whose output it clipped, an engine repeats the last 256 KiB
		for line := range strings.Lines(string(own)) {
			if !seen[line] {
				all, seen[line] = append(all, line...), true
			}
		}
	}
	return all
}

// keepTold writes the lines of a step, or reads those of an earlier run. An unwritable cache
// directory doesn't fail a finished build.
func keepTold(file string, own []byte) []byte {
	if len(own) == 0 {
		own, _ = os.ReadFile(file) //nolint:gosec // in our own cache
		return own
	}
	if os.MkdirAll(filepath.Dir(file), 0o700) == nil {
		_ = atomicfile.Write(file, own, 0o644)
	}
	return own
}

// pruned returns the sums by rule.
func pruned(told []byte) []Pruned {
	sums := map[string]Pruned{}
	for one := range said[Pruned](told, prunedMark) {
		sum := sums[one.Rule]
		sums[one.Rule] = Pruned{one.Rule, sum.Files + one.Files, sum.Bytes + one.Bytes}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Pruned) int { return strings.Compare(a.Rule, b.Rule) })
}

func removed(told []byte) []Removed {
	return slices.Compact(slices.SortedFunc(said[Removed](told, removedMark), func(a, b Removed) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Path, b.Path))
	}))
}

// notes returns the notes in the order of the graph, each once.
func notes(told []byte) (list []string) {
	for line := range strings.Lines(string(told)) {
		if note, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), noteMark); ok && !slices.Contains(list, note) {
			list = append(list, note)
		}
	}
	return list
}

// said yields the values that follow a mark at the beginning of a line.
func said[T any](told []byte, mark string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for line := range bytes.Lines(told) {
			var one T
			if text, ok := bytes.CutPrefix(line, []byte(mark)); ok && json.Unmarshal(text, &one) == nil && !yield(one) {
				return
			}
		}
	}
}

// keysOf returns a key for each step that runs a program, made from its inputs like that of an
// engine's cache: a file counts by its digest, wherever it is fetched from.
func keysOf(def *bkllb.Definition) map[digest.Digest]digest.Digest {
	all, execs := map[string]string{}, map[digest.Digest]digest.Digest{}
	for _, data := range def.Def { // inputs come first
		var op pb.Op
		if op.UnmarshalVT(data) != nil {
			continue
		}
		if source := op.GetSource(); source.GetAttrs()[pb.AttrHTTPChecksum] != "" {
			source.Identifier = ""
			delete(source.Attrs, pb.AttrOCILayoutStoreID) // of a vendored file
		}
		for _, in := range op.Inputs {
			in.Digest = all[in.Digest]
		}
		text, _ := json.Marshal(&op) // sorts maps
		id, key := digest.FromBytes(data), digest.FromBytes(text)
		if all[id.String()] = key.String(); op.GetExec() != nil {
			execs[id] = key
		}
	}
	return execs
}
