package lamina_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// public lists the packages that other programs import.
var public = []string{".", "cache", "llb", "lock", "output", "spec", "stages"}

// The public interface changes only on purpose, and with an entry in CHANGELOG.md:
// go test . -update rewrites the list.
func TestPublicInterface(t *testing.T) {
	var got bytes.Buffer
	for _, dir := range public {
		got.WriteString("# " + dir + "\n\n" + exported(t, dir) + "\n")
	}
	golden := filepath.Join("testdata", "api.golden.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the public interface (-golden +now):\n%s", diff)
	}
}

// exported returns the exported declarations of a package, and reports undocumented ones.
func exported(t *testing.T, dir string) string {
	t.Helper()
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	parsed := make([]*ast.File, 0, len(files))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, bad := parser.ParseFile(set, name, nil, parser.ParseComments)
		if bad != nil {
			t.Fatal(bad)
		}
		parsed = append(parsed, f)
	}
	p, err := doc.NewFromFiles(set, parsed, "lamina.build/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	write := func(comment string, node ast.Node) {
		if comment == "" {
			t.Errorf("%s: no comment", set.Position(node.Pos()))
		}
		if f, ok := node.(*ast.FuncDecl); ok {
			f.Doc = nil
		}
		if d, ok := node.(*ast.GenDecl); ok {
			d.Doc = nil
		}
		if err := printer.Fprint(&b, set, node); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n\n")
	}
	values := func(list []*doc.Value) {
		for _, v := range list {
			write(v.Doc, v.Decl)
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			write(f.Doc, f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, typ := range p.Types {
		write(typ.Doc, typ.Decl)
		values(typ.Consts)
		functions(typ.Funcs)
		functions(typ.Methods)
	}
	return b.String()
}
