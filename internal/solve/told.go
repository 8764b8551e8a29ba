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

// Marks begin a line in which a step says something for the summary: an installation what
// it left out, a check what is no problem (internal/scripts: finish_wheels.py, made.sh,
// check_layer.py, elf_closure.py). What follows the last of them is text.
const (
	mark        = "lamina: "
	prunedMark  = mark + "pruned "
	removedMark = mark + "removed "
	noteMark    = mark + "note "
)

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

// told is what the steps of a graph said for the summary, line by line, but for the builder's,
// which is in no image. A step that an engine has in its cache says nothing: what it said
// when it ran here is kept in dir, which may be "".
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
		all = append(all, own...)
	}
	return all
}

// keepTold writes what a step said, or reads what it said before. A cache directory that
// can't be written is no reason for a build to fail that is done.
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

// pruned sums up by rule.
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

// notes are in the order of the graph, each once.
func notes(told []byte) (list []string) {
	for line := range strings.Lines(string(told)) {
		if note, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), noteMark); ok && !slices.Contains(list, note) {
			list = append(list, note)
		}
	}
	return list
}

// said yields what follows a mark at the beginning of a line.
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

// keysOf names the steps that run a program by what they work on, as an engine's cache does:
// wherever a file is fetched from, it is the one of its digest.
func keysOf(def *bkllb.Definition) map[digest.Digest]digest.Digest {
	all, execs := map[string]string{}, map[digest.Digest]digest.Digest{}
	for _, data := range def.Def { // inputs come first
		var op pb.Op
		if op.UnmarshalVT(data) != nil {
			continue
		}
		if source := op.GetSource(); source.GetAttrs()[pb.AttrHTTPChecksum] != "" {
			source.Identifier = ""
			delete(source.Attrs, pb.AttrOCILayoutStoreID) // of one that is vendored
		}
		for _, in := range op.Inputs {
			in.Digest = all[in.Digest]
		}
		text, _ := json.Marshal(&op) // maps in order
		id, key := digest.FromBytes(data), digest.FromBytes(text)
		if all[id.String()] = key.String(); op.GetExec() != nil {
			execs[id] = key
		}
	}
	return execs
}
