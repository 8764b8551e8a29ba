// Package graph reads a marshalled LLB definition back into vertices that
// people and tests can look at: as an indented tree, as JSON, as DOT.
//
// BuildKit names a vertex by the digest of its content, so that one changed
// byte renames every vertex downstream. Here a vertex is a number, counted in
// the order of the definition, in which inputs come before what uses them. A
// change then shows as the change that it is.
package graph

import (
	"errors"
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Graph is a decoded definition.
type Graph struct {
	Vertices []Vertex // Vertices[i].Number is i; inputs come before what uses them
	Root     Input    // what the graph results in
}

// Vertex is one operation of a graph.
type Vertex struct {
	Number      int
	Kind        Kind
	Name        string        // what the build shows for it, "" where nobody named it
	Digest      digest.Digest // as BuildKit knows it
	Inputs      []Input       // in the order that Op refers to them
	IgnoreCache bool          // runs even if its result is known
	NoExport    bool          // never enters a remote cache
	Op          *pb.Op        // without its inputs, see Inputs
}

// Input is an output of a vertex, used by another one.
type Input struct {
	Vertex int
	Output int // 0 but for an exec that writes to several mounts
}

// Kind says what a vertex does.
type Kind string

// The kinds of vertices that BuildKit has.
const (
	Source      Kind = "source"
	Exec        Kind = "exec"
	File        Kind = "file"
	Merge       Kind = "merge"
	Diff        Kind = "diff"
	Build       Kind = "build"
	Passthrough Kind = "passthrough"
)

// customName is where [bkllb.WithCustomName] leaves the name of a vertex.
const customName = "llb.customname"

// Decode reads a definition. It fails for one that BuildKit would refuse as
// well: an operation that can't be read or whose input isn't there.
func Decode(def *bkllb.Definition) (Graph, error) {
	if def == nil || len(def.Def) == 0 {
		return Graph{}, errors.New("graph is empty")
	}
	numbers := make(map[string]Input, len(def.Def))
	last := len(def.Def) - 1
	var g Graph
	for i, raw := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(raw); err != nil {
			return Graph{}, fmt.Errorf("reading operation %d of the graph: %w", i, err)
		}
		inputs, err := renumber(op.Inputs, numbers)
		if err != nil {
			return Graph{}, fmt.Errorf("reading operation %d of the graph: %w", i, err)
		}
		if i == last && op.Op == nil { // the last one only points at the result
			if len(inputs) != 1 {
				return Graph{}, fmt.Errorf("graph has %d results instead of one", len(inputs))
			}
			g.Root = inputs[0]
			return g, nil
		}
		id := digest.FromBytes(raw)
		numbers[string(id)] = Input{Vertex: i}
		g.Vertices = append(g.Vertices, vertex(i, id, op, inputs, def.Metadata[id]))
		g.Root = Input{Vertex: i}
	}
	return g, nil
}

func renumber(inputs []*pb.Input, numbers map[string]Input) ([]Input, error) {
	var renumbered []Input
	for _, in := range inputs {
		n, ok := numbers[in.Digest]
		if !ok {
			return nil, fmt.Errorf("input %s does not come before its use", in.Digest)
		}
		n.Output = int(in.Index)
		renumbered = append(renumbered, n)
	}
	return renumbered, nil
}

func vertex(number int, id digest.Digest, op *pb.Op, inputs []Input, meta bkllb.OpMetadata) Vertex {
	op.Inputs = nil
	return Vertex{
		Number: number, Kind: kind(op), Digest: id, Inputs: inputs, Op: op,
		Name:        meta.Description[customName],
		IgnoreCache: meta.IgnoreCache,
		NoExport:    meta.ExportCache != nil && !meta.ExportCache.Value,
	}
}

func kind(op *pb.Op) Kind {
	switch op.Op.(type) {
	case *pb.Op_Source:
		return Source
	case *pb.Op_Exec:
		return Exec
	case *pb.Op_File:
		return File
	case *pb.Op_Merge:
		return Merge
	case *pb.Op_Diff:
		return Diff
	case *pb.Op_Build:
		return Build
	case *pb.Op_Passthrough:
		return Passthrough
	}
	return "unknown"
}
