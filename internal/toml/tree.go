package toml

// Kind is the type of a value.
type Kind int

// The kinds of TOML; dates and times are one kind.
const (
	Date Kind = iota
	String
	Integer
	Float
	Bool
	List
	Map // a table
)

// String returns the name of a kind for messages, with its article.
func (k Kind) String() string {
	return [...]string{"a date", "a string", "an integer", "a number", "a boolean", "a list", "a table"}[k]
}

// Value is a value of the file with its offset.
type Value struct {
	Kind   Kind
	Offset int
	Text   string   // content of a [String], or another scalar as written
	Items  []*Value // of a [List]
	Table  *Table   // of a [Map]

	blocks bool // a list that [[…]] headers made, and may extend
}

// origin is how a table was defined, which decides under TOML's rules what may extend it.
type origin int

const (
	implied origin = iota // by the header of a table below it
	headed                // by its own header
	dotted                // by a dotted key
	inline                // as { … }
)

// Table is a table of the file. A nil one has no keys.
type Table struct {
	Offset int
	Where  string   // its name in messages: "[debian]", "" for the top of the file
	Keys   []*Entry // in the order they were written

	origin origin
	index  map[string]int // of Keys
}

// Entry is a key of a table.
type Entry struct {
	Key    string
	Offset int
	Value  *Value

	in string // Where of the table that it was written in, kept by merging
}

func newTable(offset int, where string, from origin) *Table {
	return &Table{Offset: offset, Where: where, origin: from, index: map[string]int{}}
}

// Get returns an entry, nil if there is none.
func (t *Table) Get(key string) *Entry {
	if t == nil {
		return nil
	}
	if i, ok := t.index[key]; ok {
		return t.Keys[i]
	}
	return nil
}

// put sets a key, replacing an equal one.
func (t *Table) put(e *Entry) {
	if i, ok := t.index[e.Key]; ok {
		t.Keys[i] = e
		return
	}
	t.index[e.Key] = len(t.Keys)
	t.Keys = append(t.Keys, e)
}

// Filter returns t with only the keys for which keep returns true.
func (t *Table) Filter(keep func(key string) bool) *Table {
	part := newTable(t.Offset, t.Where, t.origin)
	for _, e := range t.Keys {
		if keep(e.Key) {
			part.put(e)
		}
	}
	return part
}

// Merge overlays t with another table: tables merge, anything else replaces. It changes
// neither; every key keeps its position.
func (t *Table) Merge(over *Table) *Table {
	merged := t.Filter(func(string) bool { return true })
	for _, e := range over.Keys {
		old := merged.Get(e.Key)
		if old != nil && old.Value.Kind == Map && e.Value.Kind == Map {
			laid := *e
			laid.Value = &Value{Kind: Map, Offset: e.Value.Offset, Table: old.Value.Table.Merge(e.Value.Table)}
			e = &laid
		}
		merged.put(e)
	}
	return merged
}
