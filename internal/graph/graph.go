// Package graph decodes a marshalled LLB definition into vertices that people and tests can
// read: as an indented tree, as JSON, as DOT.
//
// BuildKit names a vertex by the digest of its content, so one changed byte renames every
// vertex downstream. Here a vertex has a number, in the order of the definition, where inputs
// come before their users. So a change shows only where it was made.
package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/encoding/protojson"
)

// Graph is a decoded definition.
type Graph struct {
	Root     Input    `json:"root"`     // the result of the graph
	Vertices []Vertex `json:"vertices"` // Vertices[i].Number is i; inputs come before their users
}

// Vertex is one operation of a graph.
type Vertex struct {
	Number      int           `json:"vertex"`
	Kind        Kind          `json:"kind"`
	Name        string        `json:"name,omitempty"`        // shown in the progress; "" if it has none
	Digest      digest.Digest `json:"digest,omitempty"`      // BuildKit's
	Inputs      []Input       `json:"inputs,omitempty"`      // in the order in which Op refers to them
	IgnoreCache bool          `json:"ignoreCache,omitempty"` // runs even if its result is known
	NoExport    bool          `json:"noExport,omitempty"`    // never enters a remote cache
	Op          Op            `json:"op"`                    // without its inputs, see Inputs
}

// Op is what a vertex does. Its JSON comes from protojson, whose white space differs between
// binaries on purpose; encoding a graph formats it again.
type Op struct{ *pb.Op }

// MarshalJSON implements [json.Marshaler].
func (o Op) MarshalJSON() ([]byte, error) { return protojson.Marshal(o.Op) }

// Input is an output of a vertex that another one uses.
type Input struct {
	Vertex int
	Output int // 0 except for an exec that writes to several mounts
}

// MarshalText writes one word, "12" or "12:1" with an output, so that a diff of two
// graphs stays short.
func (in Input) MarshalText() ([]byte, error) {
	if in.Output == 0 {
		return strconv.AppendInt(nil, int64(in.Vertex), 10), nil
	}
	return fmt.Appendf(nil, "%d:%d", in.Vertex, in.Output), nil
}

// Kind is what a vertex does, by BuildKit's name for it.
type Kind string

// The kinds of vertices.
const (
	Source      Kind = "source"
	Exec        Kind = "exec"
	File        Kind = "file"
	Merge       Kind = "merge"
	Diff        Kind = "diff"
	Passthrough Kind = "passthrough"
)

// customName is the key under which [bkllb.WithCustomName] stores the name of a vertex.
const customName = "llb.customname"

// Decode decodes a definition. It rejects what BuildKit would reject, too: an operation that
// can't be read or whose input is missing.
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
		if i == last && op.Op == nil { // the last one only points to the result
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
		Number: number, Kind: kind(op), Digest: id, Inputs: inputs, Op: Op{op},
		Name:        meta.Description[customName],
		IgnoreCache: meta.IgnoreCache,
		NoExport:    meta.ExportCache != nil && !meta.ExportCache.Value,
	}
}

func kind(op *pb.Op) Kind {
	message := op.ProtoReflect()
	if field := message.WhichOneof(message.Descriptor().Oneofs().ByName("op")); field != nil {
		return Kind(field.Name())
	}
	return "unknown"
}

// JSON returns g as indented JSON: all of each operation, with the digest under which BuildKit
// reports its progress. The same graph gives the same bytes.
func (g Graph) JSON() ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(g); err != nil {
		return nil, fmt.Errorf("writing the graph as JSON: %w", err)
	}
	return text.Bytes(), nil
}

// Golden returns the JSON of g without digests, so that a test that compares it with a golden
// file shows a change only where it was made.
func (g Graph) Golden() []byte {
	g.Vertices = slices.Clone(g.Vertices)
	for i := range g.Vertices {
		g.Vertices[i].Digest = ""
	}
	text, err := g.JSON()
	if err != nil { // every operation was decoded from the same encoding
		return []byte(err.Error())
	}
	return text
}
