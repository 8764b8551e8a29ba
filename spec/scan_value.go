package spec

import "github.com/pelletier/go-toml/v2/unstable"

// value reads a value; where names it, should it be a table.
func (s *scanner) value(n *unstable.Node, where string) *value {
	switch n.Kind {
	case unstable.Array:
		return s.list(n, where)
	case unstable.InlineTable:
		return s.inline(n, where)
	default:
		return s.scalar(n)
	}
}

func (s *scanner) scalar(n *unstable.Node) *value {
	v := &value{offset: s.base + int(n.Raw.Offset), text: string(n.Data)}
	s.cursor = v.offset + int(n.Raw.Length)
	switch n.Kind {
	case unstable.String:
		v.kind = kindString
	case unstable.Integer:
		v.kind = kindInteger
	case unstable.Float:
		v.kind = kindFloat
	case unstable.Bool:
		v.kind = kindBool
	default:
		v.kind = kindDate
	}
	return v
}

// list reads an array. The parser does not say where one starts, but nothing
// stands between the last thing read and its bracket that could be mistaken.
func (s *scanner) list(n *unstable.Node, where string) *value {
	v := &value{kind: kindList, offset: s.blank(s.cursor, " \t\r\n,=]}")}
	s.cursor = v.offset + 1
	if !s.enter(v) {
		return v
	}
	defer s.leave()
	for items := n.Children(); items.Next(); {
		v.items = append(v.items, s.value(items.Node(), where))
	}
	return v
}

func (s *scanner) inline(n *unstable.Node, where string) *value {
	v := &value{kind: kindTable, offset: s.base + int(n.Raw.Offset)}
	v.table = newTable(v.offset, where, inline)
	s.cursor = v.offset + 1
	if !s.enter(v) {
		return v
	}
	defer s.leave()
	for keys := n.Children(); keys.Next(); {
		s.assign(v.table, keys.Node())
	}
	return v
}

// enter tells whether v is not nested too deep to be read.
func (s *scanner) enter(v *value) bool {
	if s.depth == maxDepth {
		s.faults.add(v.offset, "more than %d lists and tables in each other", maxDepth)
		return false
	}
	s.depth++
	return true
}

func (s *scanner) leave() { s.depth-- }
