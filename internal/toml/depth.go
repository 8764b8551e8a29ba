package toml

import (
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// CheckDepth refuses a file whose tables or lists nest deeper than those of any file do;
// name is what the error, an [Error], calls it. Other decoders follow a key of a million
// parts to its end, and whoever goes through what they made runs out of stack. What is no
// TOML is theirs to tell.
func CheckDepth(name string, data []byte) error {
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		n := p.Expression()
		if at, deep := tooDeep(n); deep {
			return newDocument(name, data).Problem(at, fmt.Sprintf("more than %d tables and lists in each other", maxDepth))
		}
	}
	return nil
}

// tooDeep says whether a header, or a key with its value, nests too deep, and where.
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

// nested is how deep lists and tables of a value nest; those below most are not looked at.
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
