package mutate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is a package with one place changed.
type Mutant struct {
	// ID is the package, the function or package-level name, the operator, and the
	// number of that operator's place there, from 1: "llb.Fetch/negate/2".
	ID string

	subject  *subject
	file     *source
	decl     *ast.FuncDecl // where it is, nil if not in a function
	from, to int           // offsets of what is replaced
	with     string
	number   string // selects it in a program with all mutants, "" if it isn't there
}

// mutants returns all mutants of a package, even those that don't compile.
func (s *subject) mutants() []*Mutant { return s.all(s.edits) }

// all makes a mutant of each edit of a package's declarations.
func (s *subject) all(edits func(f *source, root ast.Node) []edit) []*Mutant {
	var all []*Mutant
	counts := map[string]int{}
	for _, f := range s.files {
		for _, decl := range f.tree.Decls {
			function, _ := decl.(*ast.FuncDecl)
			for _, name := range declared(decl) {
				for _, e := range edits(f, name.node) {
					key := s.short + "." + name.name + "/" + e.operator
					counts[key]++
					all = append(all, &Mutant{
						ID: fmt.Sprintf("%s/%d", key, counts[key]), subject: s, file: f, decl: function,
						from: f.offset(s, e.from), to: f.offset(s, e.to), with: e.with,
					})
				}
			}
		}
	}
	return all
}

func (f *source) offset(s *subject, p token.Pos) int { return s.fset.Position(p).Offset }

type named struct {
	name string
	node ast.Node
}

// declared returns the names of a declaration: a function, a method as "Type.Method", or
// each constant and variable.
func declared(d ast.Decl) []named {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		return []named{{name, d}}
	case *ast.GenDecl:
		var all []named
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				all = append(all, named{v.Names[0].Name, v})
			}
		}
		return all
	}
	return nil
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// text returns the changed file.
func (m *Mutant) text() []byte {
	return slices.Concat(m.file.text[:m.from], []byte(m.with), m.file.text[m.to:])
}

// Where returns "file:line", with the file's path in the module.
func (m *Mutant) Where() string {
	name, err := filepath.Rel(m.subject.root, m.file.name)
	if err != nil {
		name = m.file.name
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(name), 1+bytes.Count(m.file.text[:m.from], []byte("\n")))
}

// Diff returns the lines that change, as "- old" and "+ new".
func (m *Mutant) Diff() string {
	first := bytes.LastIndexByte(m.file.text[:m.from], '\n') + 1
	last := m.to + max(bytes.IndexByte(append(slices.Clone(m.file.text[m.to:]), '\n'), '\n'), 0)
	before := string(m.file.text[first:last])
	after := string(m.file.text[first:m.from]) + m.with + string(m.file.text[m.to:last])
	return marked("- ", before) + marked("+ ", after)
}

func marked(mark, text string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		out.WriteString("    " + mark + strings.TrimLeft(line, "\t") + "\n")
	}
	return out.String()
}

// draw returns the first n compiling mutants, ordered by the hashes of their names.
func draw(all []*Mutant, n int) []*Mutant {
	order := slices.SortedFunc(slices.Values(all), func(a, b *Mutant) int {
		x, y := sha256.Sum256([]byte(a.ID)), sha256.Sum256([]byte(b.ID))
		return cmp.Or(bytes.Compare(x[:], y[:]), strings.Compare(a.ID, b.ID))
	})
	return compiling(order, n)
}

// compiling returns the first n mutants that compile.
func compiling(order []*Mutant, n int) []*Mutant {
	var drawn []*Mutant
	for _, m := range order {
		if len(drawn) == n {
			break
		}
		if m.subject.compiles(m.file, m.text()) {
			drawn = append(drawn, m)
		}
	}
	return drawn
}
