package solve

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
)

// Removed is what was made for one machine while packages were installed, and no image keeps.
type Removed struct {
	Kind string `json:"kind"` // "ssh host key"
	Path string `json:"path"`
}

// removed is what the steps of a graph removed, but for the builder's, which is in no
// image. A step that an engine has in its cache says nothing: what it said when it ran here
// is kept in dir, which may be "".
func (r *recorder) removed(def *bkllb.Definition, dir string) (list []Removed) {
	keys := keysOf(def)
	for _, data := range def.Def {
		id := digest.FromBytes(data)
		if name := def.Metadata[id].Description["llb.customname"]; strings.HasPrefix(name, "builder: ") {
			continue
		}
		own := slices.Collect(said[Removed](r.outputs[id], removedMark))
		if key := keys[id]; dir != "" && key != "" {
			own = keepRemoved(filepath.Join(dir, key.Encoded()+".json"), own)
		}
		list = append(list, own...)
	}
	slices.SortFunc(list, func(a, b Removed) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Path, b.Path))
	})
	return slices.Compact(list)
}

// keepRemoved writes what a step said, or reads what it said before. A cache folder that
// can't be written is no reason for a build to fail that is done.
func keepRemoved(file string, own []Removed) []Removed {
	if len(own) == 0 {
		if text, err := os.ReadFile(file); err != nil || json.Unmarshal(text, &own) != nil { //nolint:gosec // in our own cache
			return nil
		}
		return own
	}
	if text, err := json.Marshal(own); err == nil && os.MkdirAll(filepath.Dir(file), 0o700) == nil {
		_ = atomicfile.Write(file, text, 0o644)
	}
	return own
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
