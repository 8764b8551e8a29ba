package debian

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Part is what of an index bears upon whether some packages can be installed, and with
// what: these, the essential ones, whatever each of them may need, and whatever provides that,
// in all versions. Nothing else can apt ever choose.
type Part struct {
	files []*indexed
	kept  []map[int]*Package // of each file, by where they begin
	names []string           // all that were looked for
	at    map[place][]*Package
}

// place is where a package lies.
type place struct{ repository, path string }

// Part returns what bears upon packages of these names.
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

// At returns the packages that lie at a path of a repository by what its indexes say:
// more than one where these say different things of it.
func (part *Part) At(repository, filename string) []*Package {
	return part.at[place{repository, filename}]
}

// All returns every package of it, in the order of the sources and their files.
func (part *Part) All() (all []*Package) {
	for _, kept := range part.kept {
		for _, begin := range slices.Sorted(maps.Keys(kept)) {
			all = append(all, kept[begin])
		}
	}
	return all
}

// namesInOne is how many names one paragraph has: apt takes no paragraph above a megabyte.
const namesInOne = 1000

// Text returns a Packages file of the part, of the file of that place among those of the index.
//
// It begins with a package that nothing asks for, and that has names in it: apt numbers
// packages as it comes upon their names, and of two that provide the same takes the one
// with the higher number, where nothing else tells them apart. So they come as in the whole file.
func (part *Part) Text(file int) []byte {
	f := part.files[file]
	var out bytes.Buffer
	n := 0
	for some := range slices.Chunk(f.table.byRank(part.names), namesInOne) {
		n++
		// Of one version apt reads the first.
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

// ofNoUse are fields that apt chooses nothing by.
var ofNoUse = []string{"Description", "Description-md5", "Homepage", "Maintainer", "MD5sum", "Original-Maintainer", "SHA1", "Tag"}

// slim is a paragraph without the fields that are of no use, and without empty lines.
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
