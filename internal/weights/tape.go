package weights

import (
	"iter"
	"sort"

	"lamina.build/internal/layers"
	"lamina.build/lock"
)

// tape is a layer as a row of bytes, each of which can be found.
type tape struct {
	parts  []layers.Part
	files  map[string]lock.ModelFile
	starts []int64 // of the parts
	size   int64
}

func newTape(l Layer) *tape {
	t := &tape{parts: l.Parts, files: l.Files, starts: make([]int64, len(l.Parts)), size: l.Size}
	var at int64
	for i, p := range l.Parts {
		t.starts[i] = at
		at += p.Size
	}
	return t
}

// piece is what a stretch of the tape has of one part.
type piece struct {
	part   layers.Part
	offset int64 // in the part
	at     int64 // in the stretch
	size   int64
}

// ends tells whether the piece has the part's last byte.
func (p piece) ends() bool { return p.offset+p.size == p.part.Size }

// pieces cuts the stretch from one byte up to another by its parts.
func (t *tape) pieces(from, to int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		first := sort.Search(len(t.starts), func(i int) bool { return t.starts[i]+t.parts[i].Size > from })
		for i := first; i < len(t.parts) && t.starts[i] < to; i++ {
			begin, end := max(t.starts[i], from), min(t.starts[i]+t.parts[i].Size, to)
			if !yield(piece{t.parts[i], begin - t.starts[i], begin - from, end - begin}) {
				return
			}
		}
	}
}
