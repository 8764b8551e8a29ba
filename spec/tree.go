package spec

// kind is the type of a value in TOML.
type kind int

const (
	kindString kind = iota
	kindInteger
	kindFloat
	kindBool
	kindDate
	kindList
	kindTable
)

// String names a kind as it is called in messages, with its article.
func (k kind) String() string {
	return [...]string{"a string", "an integer", "a number", "a boolean", "a date", "a list", "a table"}[k]
}

// value is a value of the file and where it starts.
type value struct {
	kind   kind
	offset int
	text   string   // of a string its content, of the other scalars what is written
	items  []*value // of a list
	table  *table   // of a table
	blocks bool     // a list that [[…]] headers made, and may extend
}

// origin says how a table came to be, on which TOML's rule of what may be
// written twice depends.
type origin int

const (
	implied origin = iota // by the header of a table below it
	headed                // by its own header
	dotted                // by a dotted key
	inline                // as { … }
)

// table is a table of the file, its keys in the order they were written.
type table struct {
	offset int
	where  string // as messages call it: "[debian]", "" for the top of the file
	origin origin
	keys   []*entry
	index  map[string]int // of keys
}

// entry is a key of a table.
type entry struct {
	key    string
	offset int
	in     string // where of the table it was written in, which overlaying keeps
	value  *value
}

func newTable(offset int, where string, from origin) *table {
	return &table{offset: offset, where: where, origin: from, index: map[string]int{}}
}

func (t *table) get(key string) *entry {
	if t == nil {
		return nil
	}
	if i, ok := t.index[key]; ok {
		return t.keys[i]
	}
	return nil
}

// put sets a key, in the place of an equal one where there is one.
func (t *table) put(e *entry) {
	if i, ok := t.index[e.key]; ok {
		t.keys[i] = e
		return
	}
	t.index[e.key] = len(t.keys)
	t.keys = append(t.keys, e)
}
