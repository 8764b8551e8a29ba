// Package toml reads a TOML file strictly: syntax errors, unknown keys and values of the
// wrong type are all reported at once, each with its position.
//
// [Parse] makes a tree of the file, whose tables can be overlaid ([Table.Merge]) and keep
// the position of each key. A [Reader] returns the values of one table; what is read from
// it is the schema.
package toml

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Error is one problem of a file with its position.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in characters
	Message string
}

// Error begins with the position, as compilers print it: FILE:LINE:COLUMN: problem.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Document is a file that was read.
type Document struct {
	Root    *Table
	Whole   bool                                     // nothing was skipped, so absent keys are missing
	Suggest func(word string, known []string) string // ends the message about an unknown key; may be nil

	name  string
	data  []byte
	lines []int // offset of each line
}

func newDocument(name string, data []byte) *Document {
	lines := []int{0}
	for i, c := range data {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	return &Document{name: name, data: data, lines: lines}
}

// Line returns the number, from 1, of the line that holds the byte at an offset.
func (d *Document) Line(offset int) int {
	i, found := slices.BinarySearch(d.lines, offset)
	if found {
		return i + 1
	}
	return i
}

// Problem returns the error for a problem at an offset.
func (d *Document) Problem(offset int, message string) *Error {
	offset = min(offset, len(d.data))
	line := d.Line(offset)
	before := d.data[d.lines[line-1]:offset]
	return &Error{File: d.name, Line: line, Column: utf8.RuneCount(before) + 1, Message: message}
}

// Problems collects the problems of a document. A table may be read many times, but each
// problem is kept once.
type Problems struct {
	*Document

	found map[finding]bool
}

type finding struct {
	offset  int
	message string
}

// Problems returns an empty list for problems of the document.
func (d *Document) Problems() *Problems { return &Problems{d, map[finding]bool{}} }

// Add adds a problem at an offset.
func (f *Problems) Add(offset int, format string, args ...any) {
	f.found[finding{offset, fmt.Sprintf(format, args...)}] = true
}

// Err joins all problems, each an [Error], in the order of the file; nil if there is none.
func (f *Problems) Err() error {
	errs := make([]error, 0, len(f.found))
	for _, one := range slices.SortedFunc(maps.Keys(f.found), func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.message, b.message))
	}) {
		errs = append(errs, f.Problem(one.offset, one.message))
	}
	return errors.Join(errs...)
}
