package toml

import (
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// CheckDepth rejects a file whose tables or lists are nested deeper than any real file's;
// the error, an [Error], has the given name. Other decoders follow a key of a million parts
// to its end, and walking their result overflows the stack. Invalid TOML is left to them.
func CheckDepth(name string, data []byte) error {
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		n := p.Expression()
		if at, deep := tooDeep(n); deep {
			return newDocument(name, data).Problem(at, fmt.Sprintf("more than %d nested tables and lists", maxDepth))
		}
	}
	return nil
}

// tooDeep reports whether a header, or a key with its value, is nested too deep, and where.
func tooDeep(n *unstable.Node) (at int, deep bool) {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable, unstable.KeyValue:
	default:
		return 0, false
	}
	depth := 0
	for keys := n.Key(); keys.Next(); depth++ {
		if depth == 0 {
			at = int(keys.Node().Raw.Offset)
		}
	}
	if n.Kind == unstable.KeyValue {
		depth += nested(n.Value(), maxDepth)
	}
	return at, depth > maxDepth
}

// nested returns how deep lists and tables of a value are nested, down to most levels.
func nested(n *unstable.Node, most int) (depth int) {
	if n.Kind != unstable.Array && n.Kind != unstable.InlineTable || most < 0 {
		return 0
	}
	for items := n.Children(); items.Next(); {
		item := items.Node()
		keys := 0
		if item.Kind == unstable.KeyValue {
			for parts := item.Key(); parts.Next(); {
				keys++
			}
			item = item.Value()
		}
		depth = max(depth, keys+nested(item, most-1))
	}
	return depth + 1
}
