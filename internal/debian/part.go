package debian

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Part is the part of an index that is relevant to installing some packages: these, the
// essential ones, everything that each of them may need, and everything that provides that, in
// all versions. apt can never choose anything else.
type Part struct {
	files []*indexed
	kept  []map[int]*Package // of each file, by the offset of their paragraphs
	names []string           // all names that were looked up
	at    map[place][]*Package
}

// place is the location of a package.
type place struct{ repository, path string }

// Part returns the part that is relevant to packages of these names.
func (x *Index) Part(names ...string) *Part {
	part := &Part{files: x.files, kept: make([]map[int]*Package, len(x.files)), at: map[place][]*Package{}}
	for i := range x.files {
		part.kept[i] = map[int]*Package{}
	}
	seen := map[string]bool{}
	queue := slices.Clone(names)
	for _, p := range x.Essential() {
		queue = append(queue, p.Name)
	}
	for len(queue) > 0 {
		name := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		queue = append(queue, x.Providers(name)...)
		for i := range x.files {
			queue = append(queue, part.keep(i, name)...)
		}
	}
	part.names = slices.Collect(maps.Keys(seen))
	return part
}

// keep adds the packages of a name in a file, and returns the names of what they may need.
func (part *Part) keep(file int, name string) (needs []string) {
	f := part.files[file]
	for _, begin := range f.table.find(name).own {
		p := f.at(begin)
		if p == nil || p.Name != name {
			continue
		}
		part.kept[file][begin] = p
		at := place{p.Release.Repository, p.Filename}
		part.at[at] = append(part.at[at], p)
		needs = slices.AppendSeq(needs, Names(strings.ReplaceAll(p.PreDepends+","+p.Depends, "|", ","), ","))
	}
	return needs
}

// At returns the packages at a path of a repository: several if its indexes have different
// entries for it.
func (part *Part) At(repository, filename string) []*Package {
	return part.at[place{repository, filename}]
}

// All returns all packages, in the order of the sources and their files.
func (part *Part) All() (all []*Package) {
	for _, kept := range part.kept {
		for _, begin := range slices.Sorted(maps.Keys(kept)) {
			all = append(all, kept[begin])
		}
	}
	return all
}

// namesInOne limits the names in one paragraph: apt rejects paragraphs above a megabyte.
const namesInOne = 1000

// Text returns the Packages file of the part for the file at that position in the index.
//
// It begins with a dummy package that lists names: apt numbers packages in the order in which it
// reads their names, and between two otherwise equal providers chooses the one with the higher
// number. So it reads them in the order of the whole file.
func (part *Part) Text(file int) []byte {
	f := part.files[file]
	var out bytes.Buffer
	n := 0
	for some := range slices.Chunk(f.table.byRank(part.names), namesInOne) {
		n++
		// Of equal versions, apt reads only the first.
		fmt.Fprintf(&out, "Package: lamina-names\nVersion: %d.%d\nArchitecture: all\nEnhances: %s\n\n", file, n, strings.Join(some, ", "))
	}
	for _, begin := range slices.Sorted(maps.Keys(part.kept[file])) {
		var p paragraph
		length := p.take(f.text[begin:])
		out.Write(slim(f.text[begin : begin+length]))
		out.WriteString("\n")
	}
	return out.Bytes()
}

// ofNoUse are fields that don't affect apt's choices.
var ofNoUse = []string{"Description", "Description-md5", "Homepage", "Maintainer", "MD5sum", "Original-Maintainer", "SHA1", "Tag"}

// slim returns a paragraph without useless fields and empty lines.
func slim(text []byte) (kept []byte) {
	keep := true
	for line := range bytes.Lines(text) {
		if isBlank(line) {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			key, _, _ := bytes.Cut(line, []byte(":"))
			keep = !slices.Contains(ofNoUse, string(key))
		}
		if keep {
			kept = append(kept, line...)
		}
	}
	if !bytes.HasSuffix(kept, []byte("\n")) {
		kept = append(kept, '\n')
	}
	return kept
}
