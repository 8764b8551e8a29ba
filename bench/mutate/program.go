package mutate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Environment variables of a test program: the mutant to run in place of the code, and
// the file to record the mutants whose functions are reached.
const (
	chosenVariable  = "LAMINA_MUTANT"
	reachedVariable = "LAMINA_MUTANTS_REACHED"
)

// switchFile is the additional file of a package with mutants in it.
const switchFile = `package %s

import (
	mutantOS "os"
	mutantSync "sync"
)

var (
	mutantNumber = mutantOS.Getenv("` + chosenVariable + `")
	mutantFile   = mutantOS.Getenv("` + reachedVariable + `")
	mutantSeen   mutantSync.Map
)

func mutantIs(number string) bool {
	if mutantFile != "" {
		if _, seen := mutantSeen.LoadOrStore(number, true); !seen {
			if f, err := mutantOS.OpenFile(mutantFile, mutantOS.O_APPEND|mutantOS.O_CREATE|mutantOS.O_WRONLY, 0o600); err == nil {
				_, _ = f.WriteString(number + "\n")
				_ = f.Close()
			}
		}
	}
	return mutantNumber == number
}
`

// program is the compiled tests of a package, with all mutants in them.
type program struct {
	once    sync.Once
	name    string
	took    time.Duration // without a mutant
	cpu     time.Duration
	reached map[string]bool // the numbers of the mutants whose functions a test runs
	err     error
}

// program compiles the tests of a package and runs them without a mutant, once.
func (w *world) program(ctx context.Context, path string) (*program, error) {
	w.mu.Lock()
	p, ok := w.programs[path]
	if !ok {
		p = &program{name: filepath.Join(w.dir, strconv.Itoa(len(w.programs))+".test")}
		w.programs[path] = p
	}
	w.mu.Unlock()
	p.once.Do(func() {
		var out bytes.Buffer
		if p.err = w.compile(ctx, path, filepath.Join(w.dir, "overlay.json"), p.name, &out); p.err != nil {
			p.err = fmt.Errorf("compiling the tests of %s: %w\n%s", path, p.err, out.Bytes())
			return
		}
		start, notes := time.Now(), p.name+".reached"
		passed, cpu, err := w.test(ctx, path, p.name, limits{10 * time.Minute, 10 * time.Minute}, &out, reachedVariable+"="+notes)
		p.took, p.cpu = time.Since(start), cpu
		if p.err = err; err == nil && !passed {
			p.err = fmt.Errorf("the tests of %s fail without any mutant:\n%s", path, out.Bytes())
		}
		p.reached = map[string]bool{}
		text, _ := os.ReadFile(notes) //nolint:gosec // missing if nothing is reached
		for number := range strings.FieldsSeq(string(text)) {
			p.reached[number] = true
		}
	})
	return p, p.err
}

func (w *world) compile(ctx context.Context, path, overlay, name string, out *bytes.Buffer) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", name, path) //nolint:gosec // a package of this module
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.root, out, out
	return cmd.Run()
}

// weave writes the overlay of the programs: the code with all mutants that are in a
// function. It returns a function that removes the programs.
func (w *world) weave(mutants []*Mutant) (remove func(), err error) {
	if w.dir, err = os.MkdirTemp("", "mutants"); err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(w.dir) }
	files, packages := map[*source][]*Mutant{}, map[*subject]bool{}
	for i, m := range mutants {
		if m.decl != nil && m.from > m.file.offset(m.subject, m.decl.Body.Lbrace) && m.decl.Name.Name != "init" && m.decl.Name.Name != "_" {
			m.number = strconv.Itoa(i + 1)
			files[m.file] = append(files[m.file], m)
			packages[m.subject] = true
		}
	}
	replaced := map[string][]byte{}
	for f, of := range files {
		replaced[f.name] = f.woven(of)
	}
	for s := range packages {
		replaced[filepath.Join(s.Dir, "mutant_switch.go")] = fmt.Appendf(nil, switchFile, s.files[0].tree.Name.Name)
	}
	if err = writeOverlay(w.dir, replaced); err != nil {
		remove()
	}
	return remove, err
}

// writeOverlay writes an overlay that gives files other texts for the go command.
func writeOverlay(dir string, texts map[string][]byte) error {
	replace := map[string]string{}
	for name, text := range texts {
		replace[name] = filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replace[name], text, 0o600); err != nil {
			return err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "overlay.json"), data, 0o600)
}

// woven returns a file with a copy of a function for each of its mutants. The function
// first checks which one is selected. No line of the file moves.
func (f *source) woven(mutants []*Mutant) []byte {
	inserts := map[int]string{} // by offset; "_" is kept there, and made a name by what follows it
	var copies bytes.Buffer
	for _, m := range mutants {
		d, at := m.decl, func(n ast.Node) int { return f.offset(m.subject, n.Pos()) }
		name, end := d.Name.Name+"_mutant"+m.number, f.offset(m.subject, d.End())
		fmt.Fprintf(&copies, "\n%s%s%s%s%s\n", f.text[at(d):at(d.Name)], name, f.text[at(d.Name)+len(d.Name.Name):m.from], m.with, f.text[m.to:end])
		call := name
		if d.Recv != nil {
			call = strings.Join(parameters(d.Recv, at, inserts), "") + "." + name
		} else if d.Type.TypeParams != nil {
			call += "[" + strings.Join(parameters(d.Type.TypeParams, at, inserts), ", ") + "]"
		}
		call += "(" + strings.Join(parameters(d.Type.Params, at, inserts), ", ") + ")"
		if d.Type.Results != nil {
			call = "return " + call
		} else {
			call += "; return"
		}
		inserts[at(d.Body)+1] += fmt.Sprintf(" if mutantIs(%q) { %s };", m.number, call)
	}
	var out bytes.Buffer
	from := 0
	for _, at := range slices.Sorted(maps.Keys(inserts)) {
		out.Write(f.text[from:at])
		out.WriteString(inserts[at])
		from = at
	}
	out.Write(f.text[from:])
	out.Write(copies.Bytes())
	return out.Bytes()
}

// parameters returns the names of parameters as in a call, and names unnamed ones.
func parameters(list *ast.FieldList, at func(ast.Node) int, inserts map[int]string) []string {
	var all []string
	for _, field := range list.List {
		rest := ""
		if _, ok := field.Type.(*ast.Ellipsis); ok {
			rest = "..."
		}
		for _, name := range field.Names {
			text := name.Name
			if text == "_" {
				text = "_mutant" + strconv.Itoa(at(name))
				inserts[at(name)+1] = strings.TrimPrefix(text, "_")
			}
			all = append(all, text+rest)
		}
		if len(field.Names) == 0 {
			text := "_mutant" + strconv.Itoa(at(field))
			inserts[at(field)] = text + " "
			all = append(all, text+rest)
		}
	}
	return all
}
