package toml

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// scanner builds the tree of a file from the statements that go-toml parses. Where
// go-toml's decoder would stop, as at a duplicate key, it reports the problem and reads the
// rest of the file.
type scanner struct {
	*Problems

	parser  unstable.Parser
	base    int    // offset of the part that the parser reads
	cursor  int    // offset after what was read last
	current *Table // the table of the last header
	depth   int    // of the value being read
}

// maxDepth bounds the nesting of tables and lists; no file needs a tenth of it, and the
// name of a table grows with each level.
const maxDepth = 32

// Parse reads a file into its tree; errors call it name. It adds syntax errors to the
// list of problems, and continues the tree at the next statement.
func Parse(name string, data []byte) (*Document, *Problems) {
	data = slices.Clip(bytes.Clone(bytes.TrimPrefix(data, []byte("\uFEFF")))) // the parser computes positions from the capacity
	doc := newDocument(name, data)
	doc.Root, doc.Whole = newTable(0, "", headed), true
	s := &scanner{Problems: doc.Problems(), current: doc.Root}
	for s.base >= 0 && s.base < len(data) {
		s.part()
	}
	return doc, s.Problems
}

// part reads from base to the end or to the next syntax error, and sets base to where to
// continue; below 0 is nowhere.
func (s *scanner) part() {
	s.cursor = s.base
	s.parser.Reset(s.data[s.base:])
	for s.parser.NextExpression() {
		s.statement(s.parser.Expression())
	}
	err := s.parser.Error()
	if err == nil {
		s.base = -1
		return
	}
	at := s.cursor
	if syntax, ok := errors.AsType[*unstable.ParserError](err); ok && syntax.Highlight != nil {
		at = s.base + int(s.parser.Range(syntax.Highlight).Offset)
	}
	s.Whole = false
	s.Add(at, "%s", err.Error())
	s.base = s.resume(at)
}

// The beginnings of a header and of any statement, precise enough to continue after a problem.
var (
	header    = regexp.MustCompile(`^[ \t]*\[\[?[A-Za-z_][A-Za-z0-9_.-]*\]`)
	statement = regexp.MustCompile(`^[ \t]*(\[\[?[A-Za-z_][A-Za-z0-9_.-]*\]|[A-Za-z_][A-Za-z0-9_.-]*[ \t]*=)`)
)

// resume finds the line that looks like the next statement after the broken one. After
// a broken header it is a header, since the keys in between belong to an unknown table.
func (s *scanner) resume(at int) int {
	start := s.blank(s.cursor, " \t\r\n")
	next := statement
	if start < len(s.data) && s.data[start] == '[' {
		next = header
	}
	first := max(s.Line(start)+1, s.Line(at))
	for _, line := range s.lines[min(first-1, len(s.lines)):] {
		if next.Match(s.data[line:]) {
			return line
		}
	}
	return -1
}

// blank returns the first offset, from the given one on, that is neither one of the given
// characters nor in a comment.
func (s *scanner) blank(offset int, skip string) int {
	for ; offset < len(s.data); offset++ {
		if s.data[offset] == '#' {
			for offset+1 < len(s.data) && s.data[offset+1] != '\n' {
				offset++
			}
		} else if strings.IndexByte(skip, s.data[offset]) < 0 {
			break
		}
	}
	return offset
}

// step is one part of a dotted key.
type step struct {
	key    string
	offset int
}

func (s *scanner) steps(keys unstable.Iterator) []step {
	var path []step
	for keys.Next() {
		raw := keys.Node().Raw
		s.cursor = s.base + int(raw.Offset+raw.Length)
		path = append(path, step{string(keys.Node().Data), s.base + int(raw.Offset)})
	}
	if len(path) > maxDepth {
		s.Add(path[0].offset, "more than %d nested tables", maxDepth)
		path = path[:maxDepth]
	}
	return path
}

func (s *scanner) statement(n *unstable.Node) {
	start := s.blank(s.cursor, " \t\r\n")
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		s.open(start, s.steps(n.Key()), n.Kind == unstable.ArrayTable)
	case unstable.KeyValue:
		s.assign(s.current, n)
	default:
	}
	s.cursor = s.blank(s.cursor, " \t\r\n,]}")
}

// open opens the table of a [header] that starts at an offset, or of a [[header]].
func (s *scanner) open(start int, path []step, block bool) {
	where := "[" + join(path) + "]"
	if block {
		where = "[" + where + "]"
	}
	s.current = newTable(start, where, headed) // not in the tree if the header is wrong
	parent := s.walk(s.Root, path, implied)
	if parent == nil {
		return
	}
	last, made := path[len(path)-1], &Value{Kind: Map, Offset: start, Table: s.current}
	old := parent.Get(last.key)
	switch {
	case old == nil && block:
		parent.set(last, &Value{Kind: List, Offset: start, Items: []*Value{made}, blocks: true})
	case old == nil:
		parent.set(last, made)
	case block && old.Value.blocks:
		old.Value.Items = append(old.Value.Items, made)
	case block:
		s.Add(start, "%s can't extend what line %d sets", where, s.Line(old.Offset))
	case old.Value.Kind == Map && old.Value.Table.origin == implied:
		s.current = old.Value.Table
		s.current.origin, s.current.Offset = headed, start
	default:
		s.Add(start, "%s is written twice, first in line %d", where, s.Line(old.Offset))
		if old.Value.Kind == Map {
			s.current = old.Value.Table
		}
	}
}

// walk goes down from t along all steps but the last, and makes missing tables.
func (s *scanner) walk(t *Table, path []step, made origin) *Table {
	for i, step := range path[:len(path)-1] {
		if t.Get(step.key) == nil {
			t.set(step, &Value{Kind: Map, Offset: step.offset, Table: newTable(step.offset, t.below(path[i:i+1]), made)})
		}
		e := t.Get(step.key)
		if t = extend(e.Value, made); t == nil {
			s.Add(step.offset, "%s is already set in line %d", join(path[:i+1]), s.Line(e.Offset))
			return nil
		}
	}
	return t
}

// extend returns the table of a value to which keys may be added: a dotted key may only
// extend what dotted keys made, a header anything but an inline table, and the last block
// of a list.
func extend(v *Value, made origin) *Table {
	switch {
	case v.blocks && made == implied:
		return v.Items[len(v.Items)-1].Table
	case v.Kind != Map || v.Table.origin == inline:
		return nil
	case made == dotted && v.Table.origin != dotted:
		return nil
	}
	return v.Table
}

// assign sets a key of t.
func (s *scanner) assign(t *Table, n *unstable.Node) {
	path := s.steps(n.Key())
	v := s.value(n.Value(), t.below(path))
	parent := s.walk(t, path, dotted)
	if parent == nil {
		return
	}
	last := path[len(path)-1]
	if old := parent.Get(last.key); old != nil {
		s.Add(last.offset, "%s is written twice, first in line %d", last.key, s.Line(old.Offset))
		return
	}
	parent.set(last, v)
}

// set adds a new key to a table.
func (t *Table) set(at step, v *Value) { t.put(&Entry{at.key, at.offset, v, t.Where}) }

func join(path []step) string {
	keys := make([]string, len(path))
	for i, step := range path {
		keys[i] = step.key
	}
	return strings.Join(keys, ".")
}

// below returns the name of a table under t for messages.
func (t *Table) below(path []step) string {
	if t.Where == "" {
		return "[" + join(path) + "]"
	}
	return "[" + strings.Trim(t.Where, "[]") + "." + join(path) + "]"
}

// scalars maps all kinds but dates and times, which are [Date].
var scalars = map[unstable.Kind]Kind{
	unstable.String: String, unstable.Integer: Integer, unstable.Float: Float, unstable.Bool: Bool,
}

// value reads a value; where is its name if it is a table.
func (s *scanner) value(n *unstable.Node, where string) *Value {
	v := &Value{Offset: s.base + int(n.Raw.Offset)}
	switch n.Kind {
	case unstable.Array:
		// The parser doesn't return the start of an array, but only skippable characters
		// are between what was read last and its bracket.
		v.Kind, v.Offset = List, s.blank(s.cursor, " \t\r\n,=]}")
		s.nest(v, func() {
			for items := n.Children(); items.Next(); {
				v.Items = append(v.Items, s.value(items.Node(), where))
			}
		})
	case unstable.InlineTable:
		v.Kind, v.Table = Map, newTable(v.Offset, where, inline)
		s.nest(v, func() {
			for keys := n.Children(); keys.Next(); {
				s.assign(v.Table, keys.Node())
			}
		})
	default:
		v.Kind, v.Text = scalars[n.Kind], string(n.Data)
		s.cursor = v.Offset + int(n.Raw.Length)
	}
	return v
}

// nest reads the content of v, unless that is nested too deep.
func (s *scanner) nest(v *Value, read func()) {
	s.cursor = v.Offset + 1
	if s.depth == maxDepth {
		s.Add(v.Offset, "more than %d nested lists and tables", maxDepth)
		return
	}
	s.depth++
	read()
	s.depth--
}
