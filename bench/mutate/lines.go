package mutate

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"io"
	"math/rand/v2"
)

// deletions returns mutants that each delete one statement of a package's functions, with
// everything in it.
func (s *subject) deletions() []*Mutant {
	return s.all(func(f *source, root ast.Node) []edit {
		v := &finder{subject: s, file: f}
		ast.Inspect(root, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				v.delete(n.List)
			case *ast.CaseClause:
				v.delete(n.Body)
			case *ast.CommClause:
				v.delete(n.Body)
			}
			return true
		})
		return v.edits
	})
}

func (v *finder) delete(list []ast.Stmt) {
	for _, n := range list {
		call, _ := n.(*ast.ExprStmt)
		after, _ := n.(*ast.DeferStmt)
		if call != nil && v.ofSync(call.X) || after != nil && v.ofSync(after.Call) {
			continue
		}
		v.add("delete", n, "")
	}
}

// lines draws some compiling deletions by a seed, and prints which test fails without
// each.
func (w *world) lines(ctx context.Context, out io.Writer, all []*Mutant, n int, seed uint64) error {
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] }) //nolint:gosec // not a secret
	drawn := compiling(all, n)
	remove, err := w.weave(drawn)
	if err != nil {
		return err
	}
	defer remove()
	unseen := 0
	for _, m := range drawn {
		r, err := w.try(ctx, m, io.Discard)
		if err != nil {
			return err
		}
		by := fmt.Sprintf("%s of %s", cmp.Or(r.Test, "a panic"), w.short(r.By))
		switch r.Status {
		case survived:
			by = "no test"
			unseen++
		case invalid: // its types are right, so the machine failed
			return fmt.Errorf("building %s without %s failed: run it again", w.short(r.By), m.ID)
		case timeout:
			by += ", by its timeout"
		}
		fmt.Fprintf(out, "%s  %s: %s\n%s", m.Where(), m.ID, by, m.Diff())
	}
	if unseen > 0 {
		return fmt.Errorf("no test fails without %d of %d lines", unseen, n)
	}
	return nil
}
