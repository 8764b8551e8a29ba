package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
)

// document is the JSON form of a graph. Inputs are written as one word each,
// "12" or "12:1" with an output, so that a diff of two graphs stays short.
type document struct {
	Root     string       `json:"root"`
	Vertices []jsonVertex `json:"vertices"`
}

type jsonVertex struct {
	Vertex      int             `json:"vertex"`
	Kind        Kind            `json:"kind"`
	Name        string          `json:"name,omitempty"`
	Digest      string          `json:"digest,omitempty"`
	Inputs      []string        `json:"inputs,omitempty"`
	IgnoreCache bool            `json:"ignoreCache,omitempty"`
	NoExport    bool            `json:"noExport,omitempty"`
	Op          json.RawMessage `json:"op"`
}

// WriteJSON writes g as indented JSON: all of each operation, with the digest
// under which BuildKit reports its progress. The same graph gives the same bytes.
func (g Graph) WriteJSON(w io.Writer) error {
	text, err := g.json(true)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// Golden returns the JSON of g without digests, so that a test which compares
// it with a stored one shows a change where it was made and nowhere else.
func (g Graph) Golden() []byte {
	text, err := g.json(false)
	if err != nil { // every operation came out of the same encoding
		return []byte(err.Error())
	}
	return text
}

func (g Graph) json(digests bool) ([]byte, error) {
	doc := document{Root: g.Root.word()}
	for _, v := range g.Vertices {
		j, err := v.json()
		if err != nil {
			return nil, err
		}
		if digests {
			j.Digest = v.Digest.String()
		}
		doc.Vertices = append(doc.Vertices, j)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing the graph as JSON: %w", err)
	}
	return text.Bytes(), nil
}

// json writes the operation by protojson. Its white space differs between
// binaries on purpose; the encoder that takes the result lays it out anew.
func (v Vertex) json() (jsonVertex, error) {
	op, err := protojson.Marshal(v.Op)
	if err != nil {
		return jsonVertex{}, fmt.Errorf("writing vertex %d as JSON: %w", v.Number, err)
	}
	j := jsonVertex{
		Vertex: v.Number, Kind: v.Kind, Name: v.Name,
		IgnoreCache: v.IgnoreCache, NoExport: v.NoExport, Op: op,
	}
	for _, in := range v.Inputs {
		j.Inputs = append(j.Inputs, in.word())
	}
	return j, nil
}

func (in Input) word() string {
	if in.Output == 0 {
		return strconv.Itoa(in.Vertex)
	}
	return fmt.Sprintf("%d:%d", in.Vertex, in.Output)
}
