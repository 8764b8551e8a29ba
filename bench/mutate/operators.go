package mutate

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// edit is a place and its replacement.
type edit struct {
	operator string
	from, to token.Pos
	with     string
}

// swaps maps an operator to its replacement, and to the name of the mutation operator
// that does it.
var swaps = map[token.Token]struct {
	name string
	with token.Token
}{
	token.LSS: {"boundary", token.LEQ}, token.LEQ: {"boundary", token.LSS},
	token.GTR: {"boundary", token.GEQ}, token.GEQ: {"boundary", token.GTR},
	token.EQL: {"compare", token.NEQ}, token.NEQ: {"compare", token.EQL},
	token.LAND: {"logical", token.LOR}, token.LOR: {"logical", token.LAND},
	token.ADD: {"arithmetic", token.SUB}, token.SUB: {"arithmetic", token.ADD},
	token.MUL: {"arithmetic", token.QUO}, token.QUO: {"arithmetic", token.MUL}, token.REM: {"arithmetic", token.MUL},
	token.AND: {"arithmetic", token.OR}, token.OR: {"arithmetic", token.AND},
	token.SHL: {"arithmetic", token.SHR}, token.SHR: {"arithmetic", token.SHL},
	token.ADD_ASSIGN: {"arithmetic", token.SUB_ASSIGN}, token.SUB_ASSIGN: {"arithmetic", token.ADD_ASSIGN},
	token.INC: {"arithmetic", token.DEC}, token.DEC: {"arithmetic", token.INC},
}

// finder collects the edits of one declaration.
type finder struct {
	*subject

	file  *source
	conds map[ast.Expr]bool // already negated: swapping their == would be the same
	edits []edit
}

// edits returns all edits of a declaration, in the order of the source.
func (s *subject) edits(f *source, root ast.Node) []edit {
	v := &finder{subject: s, file: f, conds: map[ast.Expr]bool{}}
	ast.PreorderStack(root, nil, func(n ast.Node, stack []ast.Node) bool {
		v.visit(n, stack)
		return true
	})
	return v.edits
}

func (v *finder) add(operator string, n ast.Node, with string) {
	v.edits = append(v.edits, edit{operator, n.Pos(), n.End(), with})
}

func (v *finder) visit(n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		v.negate(n.Cond)
	case *ast.ForStmt:
		v.negate(n.Cond)
	case *ast.CaseClause:
		if s, ok := above(stack, 2).(*ast.SwitchStmt); ok && s.Tag == nil {
			for _, e := range n.List {
				v.negate(e)
			}
		}
	case *ast.BinaryExpr:
		v.binary(n)
	case *ast.AssignStmt:
		v.assignment(n)
	case *ast.IncDecStmt:
		v.swap(n.Tok, n.TokPos)
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); ok && !v.ofSync(n.X) {
			v.add("drop", n, "")
		}
	case *ast.ReturnStmt:
		v.results(n, stack)
	case *ast.CallExpr:
		v.append(n)
	case *ast.BranchStmt:
		switch n.Tok {
		case token.BREAK:
			v.edits = append(v.edits, edit{"branch", n.TokPos, n.TokPos + token.Pos(len("break")), "continue"})
		case token.CONTINUE:
			v.edits = append(v.edits, edit{"branch", n.TokPos, n.TokPos + token.Pos(len("continue")), "break"})
		default:
		}
	case *ast.Ident:
		v.boolean(n)
	case *ast.BasicLit:
		if _, tag := above(stack, 1).(*ast.Field); !tag {
			v.literal(n)
		}
	}
}

func above(stack []ast.Node, n int) ast.Node {
	if len(stack) < n {
		return nil
	}
	return stack[len(stack)-n]
}

func (v *finder) code(n ast.Node) string {
	return string(v.file.text[v.fset.Position(n.Pos()).Offset:v.fset.Position(n.End()).Offset])
}

func (v *finder) negate(cond ast.Expr) {
	if cond == nil {
		return
	}
	v.conds[cond] = true
	v.add("negate", cond, "!("+v.code(cond)+")")
}

func (v *finder) binary(n *ast.BinaryExpr) {
	switch swaps[n.Op].name {
	case "compare":
		if v.conds[n] {
			return
		}
	case "arithmetic":
		if b, ok := v.info.TypeOf(n).Underlying().(*types.Basic); !ok || b.Info()&types.IsNumeric == 0 {
			return
		}
	}
	v.swap(n.Op, n.OpPos)
}

func (v *finder) swap(op token.Token, at token.Pos) {
	if s, ok := swaps[op]; ok {
		v.edits = append(v.edits, edit{s.name, at, at + token.Pos(len(op.String())), s.with.String()})
	}
}

// assignment drops an assignment but keeps its right side, which may have effects, or be
// the only use of a variable or an import.
func (v *finder) assignment(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE {
		return
	}
	if n.Tok != token.ASSIGN {
		if b, ok := v.info.TypeOf(n.Lhs[0]).Underlying().(*types.Basic); ok && b.Info()&types.IsNumeric != 0 {
			v.swap(n.Tok, n.TokPos)
		}
	}
	blank := make([]string, len(n.Lhs))
	some := false
	for i, left := range n.Lhs {
		name, ok := left.(*ast.Ident)
		some = some || !ok || name.Name != "_"
		blank[i] = "_"
	}
	right := make([]string, len(n.Rhs))
	for i, r := range n.Rhs {
		if v.info.Types[r].IsNil() {
			v.add("drop", n, "")
			return
		}
		if c, ok := r.(*ast.CallExpr); ok && v.builtin(c, "append") {
			return // the same as appending nothing
		}
		right[i] = v.code(r)
	}
	if some {
		v.add("drop", n, strings.Join(blank, ", ")+" = "+strings.Join(right, ", "))
	}
}

// ofSync reports whether an expression calls the package sync, whose effect a test detects only by chance.
func (v *finder) ofSync(e ast.Expr) bool {
	c, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	o := v.info.Uses[s.Sel]
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == "sync"
}

func (v *finder) builtin(c *ast.CallExpr, name string) bool {
	f, ok := c.Fun.(*ast.Ident)
	if !ok || f.Name != name {
		return false
	}
	_, ok = v.info.Uses[f].(*types.Builtin)
	return ok
}

func (v *finder) append(n *ast.CallExpr) {
	if !v.builtin(n, "append") || len(n.Args) < 2 {
		return
	}
	if len(n.Args) == 2 {
		v.add("append", n, v.code(n.Args[0]))
		return
	}
	last := len(n.Args) - 1
	v.edits = append(v.edits, edit{"append", n.Args[last-1].End(), n.Args[last].End(), ""})
}

func (v *finder) boolean(n *ast.Ident) {
	if !v.universe(n) {
		return
	}
	switch n.Name {
	case "true":
		v.add("bool", n, "false")
	case "false":
		v.add("bool", n, "true")
	}
}

// literal increments a number, and empties a string.
func (v *finder) literal(n *ast.BasicLit) {
	switch n.Kind {
	case token.INT:
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			v.add("constant", n, strconv.FormatInt(i+1, 10))
		}
	case token.STRING:
		if n.Value == `""` || n.Value == "``" {
			v.add("constant", n, `"mutant"`)
		} else {
			v.add("constant", n, `""`)
		}
	default:
	}
}
