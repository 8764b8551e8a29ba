package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"lamina.build/internal/failure"
)

// Error is one fault in a spec and the place it was written at.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in characters
	Message string
}

// Error names the place, as compilers do: FILE:LINE:COLUMN: what is wrong.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// document knows the lines of a file, to turn a byte's offset into a place.
type document struct {
	name  string
	data  []byte
	lines []int // where each line starts
}

func newDocument(name string, data []byte) *document {
	lines := []int{0}
	for i, c := range data {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	return &document{name: name, data: data, lines: lines}
}

// line returns the number, from 1, of the line that holds the byte at offset.
func (d *document) line(offset int) int {
	i, found := slices.BinarySearch(d.lines, offset)
	if found {
		return i + 1
	}
	return i
}

func (d *document) place(offset int, message string) *Error {
	offset = min(offset, len(d.data))
	line := d.line(offset)
	before := d.data[d.lines[line-1]:offset]
	return &Error{File: d.name, Line: line, Column: utf8.RuneCount(before) + 1, Message: message}
}

// faults gathers what is wrong with a document. The same tables are decoded
// once a variant, so the same fault arrives many times and is kept once.
type faults struct {
	doc  *document
	seen map[finding]bool
}

type finding struct {
	offset  int
	message string
}

func newFaults(doc *document) *faults {
	return &faults{doc: doc, seen: map[finding]bool{}}
}

func (f *faults) add(offset int, format string, args ...any) {
	f.seen[finding{offset, fmt.Sprintf(format, args...)}] = true
}

// err returns all faults in the order of the file, nil where there is none.
func (f *faults) err() error {
	found := make([]finding, 0, len(f.seen))
	for one := range f.seen {
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.message, b.message))
	})
	errs := make([]error, len(found))
	for i, one := range found {
		errs[i] = f.doc.place(one.offset, one.message)
	}
	return failure.New(failure.Usage, errors.Join(errs...))
}
