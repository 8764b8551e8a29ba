package spec

import (
	"errors"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// scanner builds the tree of a file from the statements that go-toml parses.
// It does by itself what go-toml's decoder would stop at: a key written twice
// is reported and the rest of the file still read.
type scanner struct {
	parser  unstable.Parser
	doc     *document
	faults  *faults
	base    int // where the part that the parser now reads starts
	start   int // where the statement starts that is now read
	cursor  int // behind what was read last
	root    *table
	current *table // the table of the last header
	depth   int    // of the value that is now read
	whole   bool   // nothing had to be skipped
}

// maxDepth bounds how deep tables and lists nest; no spec needs a tenth of it,
// and the name of a table grows with each level.
const maxDepth = 32

// scan reads a document into its tree. Where it is not TOML it reports why
// and goes on at the next statement; whole tells whether anything is missing.
func scan(doc *document, found *faults) (root *table, whole bool) {
	root = newTable(0, "", headed)
	s := &scanner{doc: doc, faults: found, root: root, current: root, whole: true}
	for s.base >= 0 && s.base < len(doc.data) {
		s.part()
	}
	return root, s.whole
}

// part reads from base to the end or to the next fault of syntax, and leaves
// base where to go on; below 0 is nowhere.
func (s *scanner) part() {
	s.cursor = s.base
	s.parser.Reset(s.doc.data[s.base:])
	for s.parser.NextExpression() {
		s.statement(s.parser.Expression())
	}
	err := s.parser.Error()
	if err == nil {
		s.base = -1
		return
	}
	at, message := s.cursor, err.Error()
	var syntax *unstable.ParserError
	if errors.As(err, &syntax) && syntax.Highlight != nil {
		at = s.base + int(s.parser.Range(syntax.Highlight).Offset)
	}
	s.whole = false
	s.faults.add(at, "%s", message)
	s.base = s.resume(at)
}

// What a header and any statement look like, well enough to go on after a fault.
var (
	header    = regexp.MustCompile(`^[ \t]*\[\[?[A-Za-z_][A-Za-z0-9_.-]*\]`)
	statement = regexp.MustCompile(`^[ \t]*(\[\[?[A-Za-z_][A-Za-z0-9_.-]*\]|[A-Za-z_][A-Za-z0-9_.-]*[ \t]*=)`)
)

// resume finds the line that looks like the next statement behind the broken
// one. Behind a broken header it is a header, since the keys in between
// belong to a table that nobody knows.
func (s *scanner) resume(at int) int {
	start := s.blank(s.cursor, " \t\r\n")
	next := statement
	if start < len(s.doc.data) && s.doc.data[start] == '[' {
		next = header
	}
	first := max(s.doc.line(start)+1, s.doc.line(at))
	for _, line := range s.doc.lines[min(first-1, len(s.doc.lines)):] {
		if next.Match(s.doc.data[line:]) {
			return line
		}
	}
	return -1
}

// blank returns the offset, from the given one on, of what is neither one of
// the given characters nor in a comment.
func (s *scanner) blank(offset int, skip string) int {
	for data := s.doc.data; offset < len(data); offset++ {
		if data[offset] == '#' {
			for offset+1 < len(data) && data[offset+1] != '\n' {
				offset++
			}
		} else if strings.IndexByte(skip, data[offset]) < 0 {
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
		s.faults.add(path[0].offset, "more than %d tables in each other", maxDepth)
		path = path[:maxDepth]
	}
	return path
}

func (s *scanner) statement(n *unstable.Node) {
	s.start = s.blank(s.cursor, " \t\r\n")
	switch n.Kind {
	case unstable.Table:
		s.header(s.steps(n.Key()))
	case unstable.ArrayTable:
		s.block(s.steps(n.Key()))
	case unstable.KeyValue:
		s.assign(s.current, n)
	default:
	}
	s.cursor = s.blank(s.cursor, " \t\r\n,]}")
}

// header opens the table of a [header].
func (s *scanner) header(path []step) {
	last := path[len(path)-1]
	where := "[" + join(path) + "]"
	s.current = newTable(s.start, where, headed) // kept apart where the header is wrong
	parent := s.walk(s.root, path, implied)
	if parent == nil {
		return
	}
	old := parent.get(last.key)
	switch {
	case old == nil:
		inner := &value{kind: kindTable, offset: s.start, table: s.current}
		parent.put(&entry{last.key, last.offset, parent.where, inner})
	case old.value.kind == kindTable && old.value.table.origin == implied:
		s.current = old.value.table
		s.current.origin, s.current.offset = headed, s.start
	default:
		s.faults.add(s.start, "%s is written twice, first in line %d", where, s.doc.line(old.offset))
		if old.value.kind == kindTable {
			s.current = old.value.table
		}
	}
}

// block opens the table of a [[header]].
func (s *scanner) block(path []step) {
	last := path[len(path)-1]
	where := "[[" + join(path) + "]]"
	s.current = newTable(s.start, where, headed)
	parent := s.walk(s.root, path, implied)
	if parent == nil {
		return
	}
	old := parent.get(last.key)
	if old == nil {
		old = &entry{last.key, last.offset, parent.where, &value{kind: kindList, offset: s.start, blocks: true}}
		parent.put(old)
	}
	if !old.value.blocks {
		s.faults.add(s.start, "%s can't extend what line %d sets", where, s.doc.line(old.offset))
		return
	}
	old.value.items = append(old.value.items, &value{kind: kindTable, offset: s.start, table: s.current})
}

// walk goes down from t along all steps but the last, and makes the tables
// that are not there yet.
func (s *scanner) walk(t *table, path []step, made origin) *table {
	for i, step := range path[:len(path)-1] {
		e := t.get(step.key)
		if e == nil {
			below := newTable(step.offset, t.below(path[i:i+1]), made)
			inner := &value{kind: kindTable, offset: step.offset, table: below}
			t.put(&entry{step.key, step.offset, t.where, inner})
			t = below
			continue
		}
		if t = extend(e.value, made); t == nil {
			s.faults.add(step.offset, "%s is set in line %d already", join(path[:i+1]), s.doc.line(e.offset))
			return nil
		}
	}
	return t
}

// extend returns the table that keys may be added to under an existing value:
// a dotted key may only extend what dotted keys made, a header anything but
// an inline table, of blocks the last one.
func extend(v *value, made origin) *table {
	switch {
	case v.blocks && made == implied:
		return v.items[len(v.items)-1].table
	case v.kind != kindTable || v.table.origin == inline:
		return nil
	case made == dotted && v.table.origin != dotted:
		return nil
	}
	return v.table
}

// assign sets a key of t.
func (s *scanner) assign(t *table, n *unstable.Node) {
	path := s.steps(n.Key())
	v := s.value(n.Value(), t.below(path))
	parent := s.walk(t, path, dotted)
	if parent == nil {
		return
	}
	last := path[len(path)-1]
	if old := parent.get(last.key); old != nil {
		s.faults.add(last.offset, "%s is written twice, first in line %d", last.key, s.doc.line(old.offset))
		return
	}
	parent.put(&entry{last.key, last.offset, parent.where, v})
}

func join(path []step) string {
	keys := make([]string, len(path))
	for i, step := range path {
		keys[i] = step.key
	}
	return strings.Join(keys, ".")
}

// below names a table under t as messages call it.
func (t *table) below(path []step) string {
	if t.where == "" {
		return "[" + join(path) + "]"
	}
	return "[" + strings.Trim(t.where, "[]") + "." + join(path) + "]"
}
