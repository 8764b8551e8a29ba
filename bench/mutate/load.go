package mutate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// listed is a package as "go list" prints it.
type listed struct {
	ImportPath, Dir, Export                        string
	GoFiles, TestGoFiles, XTestGoFiles, EmbedFiles []string
	Imports                                        []string
	Module                                         struct{ Path string }
}

// world is the module whose packages are changed.
type world struct {
	root, module string
	env          []string          // the go command's directories, shared by tests with another home
	packages     map[string]listed // of the module, by import path
	own          bool              // don't run importers' tests

	dir      string // of the programs
	mu       sync.Mutex
	programs map[string]*program
}

// open lists the packages of the module in a directory.
func open(ctx context.Context, root string) (*world, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	w := &world{root: root, packages: map[string]listed{}, programs: map[string]*program{}}
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOENV"}
	directories, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output() //nolint:gosec // these names
	if err != nil {
		return nil, fmt.Errorf("reading the go command's directories: %w", err)
	}
	for i, directory := range strings.Split(strings.TrimSpace(string(directories)), "\n") {
		w.env = append(w.env, names[i]+"="+directory)
	}
	all, err := w.goList(ctx, "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		w.module, w.packages[p.ImportPath] = p.Module.Path, p
	}
	return w, nil
}

func (w *world) goList(ctx context.Context, args ...string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json"}, args...)...) //nolint:gosec // packages that the user names
	cmd.Dir = w.root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w: %s", err, problems.Bytes())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("listing packages: %w", err)
		}
		all = append(all, p)
	}
}

// short returns an import path without the module's.
func (w *world) short(path string) string { return strings.TrimPrefix(path, w.module+"/") }

// importers returns the packages that import one, except those that need an engine.
func (w *world) importers(path string) []string {
	var all []string
	for name, p := range w.packages {
		apart := strings.HasPrefix(w.short(name), "test/") || strings.HasPrefix(w.short(name), "examples/")
		if !apart && slices.Contains(p.Imports, path) && len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// source is a file of a package.
type source struct {
	name string // its path
	text []byte
	tree *ast.File
}

// subject is a package that is changed.
type subject struct {
	listed

	short string
	root  string
	fset  *token.FileSet
	files []*source
	info  *types.Info
	types types.Config
}

// load parses a package and determines the types of its expressions.
func (w *world) load(ctx context.Context, name string) (*subject, error) {
	all, err := w.goList(ctx, "-export", "-deps", "./"+name)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	s := &subject{
		listed: all[len(all)-1], root: w.root, fset: token.NewFileSet(),
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
	s.short = w.short(s.ImportPath)
	s.types = types.Config{
		Sizes: types.SizesFor("gc", runtime.GOARCH),
		Importer: importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
			return os.Open(exports[path])
		}),
	}
	for _, name := range s.GoFiles {
		f := &source{name: filepath.Join(s.Dir, name)}
		if f.text, err = os.ReadFile(f.name); err != nil {
			return nil, err
		}
		if f.tree, err = parser.ParseFile(s.fset, f.name, f.text, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	if err := s.check(s.info, nil, nil); err != nil {
		return nil, fmt.Errorf("checking %s: %w", s.ImportPath, err)
	}
	return s, nil
}

// check type-checks a package, perhaps with another tree for one of its files.
func (s *subject) check(info *types.Info, changed *source, tree *ast.File) error {
	var trees []*ast.File
	for _, f := range s.files {
		if f == changed {
			trees = append(trees, tree)
		} else {
			trees = append(trees, f.tree)
		}
	}
	_, err := s.types.Check(s.ImportPath, s.fset, trees, info)
	return err
}

// compiles reports whether a package compiles with another text of a file.
func (s *subject) compiles(f *source, text []byte) bool {
	tree, err := parser.ParseFile(token.NewFileSet(), f.name, text, parser.SkipObjectResolution)
	return err == nil && s.check(nil, f, tree) == nil
}
