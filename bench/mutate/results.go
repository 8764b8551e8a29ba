package mutate

import (
	"go/ast"
	"go/types"
	"slices"
)

// results replaces each result of a return with its type's zero value.
func (v *finder) results(n *ast.ReturnStmt, stack []ast.Node) {
	want := v.signature(stack)
	if want == nil || want.Len() != len(n.Results) {
		return
	}
	for i, r := range n.Results {
		if _, literal := r.(*ast.BasicLit); literal || v.universe(r) {
			continue // nil, true and false; other operators change the rest
		}
		if zero := v.zero(want.At(i).Type()); zero != "" && zero != v.code(r) {
			v.add("result", r, zero)
		}
	}
}

// signature returns the results of the innermost enclosing function.
func (v *finder) signature(stack []ast.Node) *types.Tuple {
	for _, n := range slices.Backward(stack) {
		switch f := n.(type) {
		case *ast.FuncLit:
			return v.info.TypeOf(f).(*types.Signature).Results()
		case *ast.FuncDecl:
			return v.info.Defs[f.Name].Type().(*types.Signature).Results()
		}
	}
	return nil
}

func (v *finder) zero(t types.Type) string {
	if p, ok := t.(*types.TypeParam); ok {
		return "*new(" + p.Obj().Name() + ")"
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch {
		case u.Info()&types.IsString != 0:
			return `""`
		case u.Info()&types.IsNumeric != 0:
			return "0"
		case u.Info()&types.IsBoolean != 0:
			return "false"
		}
	case *types.Struct, *types.Array:
		return "*new(" + types.TypeString(t, func(p *types.Package) string {
			if p.Path() == v.ImportPath {
				return ""
			}
			return p.Name()
		}) + ")"
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan, *types.Signature, *types.Interface:
		return "nil"
	}
	return ""
}

// universe reports whether an expression is nil, true or false.
func (v *finder) universe(e ast.Expr) bool {
	n, ok := e.(*ast.Ident)
	return ok && v.info.Uses[n] != nil && v.info.Uses[n].Parent() == types.Universe
}
