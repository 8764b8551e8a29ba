package toml

import (
	"slices"
	"strconv"
)

// Check returns the canonical form of a string if it is a valid value. The error is a
// fact about the string, which it quotes.
type Check func(string) (string, error)

// Reader returns the values of one table by type. What is read from it is the schema:
// [Reader.End] reports every key that was not read. A value that is absent or wrong is
// the zero value; wrong ones are reported.
type Reader struct {
	*Problems

	Table *Table // nil if the file has none
	known []string
}

// Read returns a reader of a table, which may be nil.
func (f *Problems) Read(t *Table) *Reader { return &Reader{Problems: f, Table: t} }

// Know adds keys to the schema.
func (r *Reader) Know(keys ...string) { r.known = append(r.known, keys...) }

// Take returns the value of a key, nil if there is none.
func (r *Reader) Take(key string) *Value {
	r.Know(key)
	if e := r.Table.Get(key); e != nil {
		return e.Value
	}
	return nil
}

// At returns the offset of a key's value, or of the table if there is none.
func (r *Reader) At(key string) int {
	if e := r.Table.Get(key); e != nil {
		return e.Value.Offset
	}
	if r.Table == nil {
		return 0
	}
	return r.Table.Offset
}

// Has reports whether a key exists.
func (r *Reader) Has(key string) bool { return r.Table.Get(key) != nil }

// End reports the keys of the table that are not part of the schema.
func (r *Reader) End() {
	if r.Table == nil {
		return
	}
	for _, e := range r.Table.Keys {
		if slices.Contains(r.known, e.Key) {
			continue
		}
		in, suggestion := "", ""
		if e.in != "" {
			in = " in " + e.in
		}
		if r.Suggest != nil {
			suggestion = r.Suggest(e.Key, r.known)
		}
		r.Add(e.Offset, "unknown key %q%s%s", e.Key, in, suggestion)
	}
}

// Fit returns whether v exists and is of the kind, and adds a problem, which names key, if
// the kind is wrong.
func (r *Reader) Fit(key string, v *Value, want Kind) bool {
	if v != nil && v.Kind != want {
		r.Add(v.Offset, "%s is %s, want %s", key, v.Kind, want)
	}
	return v != nil && v.Kind == want
}

// checked returns the text of a string in canonical form.
func (r *Reader) checked(key string, v *Value, ok Check) string {
	s, err := ok(v.Text)
	if err != nil {
		r.Add(v.Offset, "%s: %v", key, err)
		return ""
	}
	return s
}

// Text reads a string.
func (r *Reader) Text(key string, ok Check) string {
	v := r.Take(key)
	if !r.Fit(key, v, String) {
		return ""
	}
	return r.checked(key, v, ok)
}

// Need is Text for a key that must be there.
func (r *Reader) Need(key string, ok Check) string {
	if !r.Has(key) {
		r.Missing(key)
	}
	return r.Text(key, ok)
}

// Missing reports an absent key, unless part of the file could not be read.
func (r *Reader) Missing(key string) {
	if r.Whole {
		r.Add(r.Table.Offset, "%s has no %s", r.Table.Where, key)
	}
}

// List visits the items of a list, each with its name for messages.
func (r *Reader) List(key string, visit func(key string, item *Value)) {
	v := r.Take(key)
	if !r.Fit(key, v, List) {
		return
	}
	for i, item := range v.Items {
		visit(key+"["+strconv.Itoa(i)+"]", item)
	}
}

// Texts reads a list of distinct strings, and visits each valid one.
func (r *Reader) Texts(key string, ok Check, visit ...func(item *Value)) []string {
	var list []string
	seen := map[string]bool{}
	r.List(key, func(_ string, item *Value) {
		if !r.Fit("an entry of "+key, item, String) {
			return
		}
		s := r.checked(key, item, ok)
		if s == "" {
			return
		}
		if seen[s] {
			r.Add(item.Offset, "%s: %q is listed twice", key, item.Text)
		}
		seen[s] = true
		list = append(list, s)
		for _, each := range visit {
			each(item)
		}
	})
	return list
}

// Some is Texts for a list with a default, which may be absent but not empty.
func (r *Reader) Some(key string, ok Check, otherwise []string, visit ...func(item *Value)) []string {
	list := r.Texts(key, ok, visit...)
	if !r.Has(key) {
		return otherwise
	}
	if v := r.Take(key); v.Kind == List && len(v.Items) == 0 {
		r.Add(v.Offset, "%s is empty", key)
	}
	return list
}

// Bool reads a boolean.
func (r *Reader) Bool(key string) bool {
	v := r.Take(key)
	return r.Fit(key, v, Bool) && v.Text == "true"
}

// Integer reads v, named key in messages, as an integer in a range.
func (r *Reader) Integer(key string, v *Value, least, most int) int {
	if !r.Fit(key, v, Integer) {
		return 0
	}
	n, err := strconv.ParseInt(v.Text, 0, 64)
	if err != nil || n < int64(least) || n > int64(most) {
		r.Add(v.Offset, "%s is %s, want %d to %d", key, v.Text, least, most)
		return 0
	}
	return int(n)
}

// Below returns a reader of the table of a key.
func (r *Reader) Below(key string) *Reader {
	v := r.Take(key)
	if !r.Fit(key, v, Map) {
		return r.Read(nil)
	}
	return r.Read(v.Table)
}

// Blocks returns readers of a list of tables.
func (r *Reader) Blocks(key string) []*Reader {
	if v := r.Take(key); v != nil && v.Kind == Map {
		r.Add(v.Offset, "%s is a table, want a list of tables: [%s]", key, v.Table.Where)
		return nil
	}
	var list []*Reader
	r.List(key, func(place string, item *Value) {
		if r.Fit(place, item, Map) {
			list = append(list, r.Read(item.Table))
		}
	})
	return list
}

// Pairs reads a table whose keys are the user's own: it calls each with the reader of
// that table, the key and its canonical form.
func (r *Reader) Pairs(key string, name Check, each func(below *Reader, key, canonical string)) {
	below := r.Below(key)
	if below.Table == nil {
		return
	}
	for _, e := range below.Table.Keys {
		canonical, err := name(e.Key)
		if err != nil {
			r.Add(e.Offset, "%s: %v", key, err)
			continue
		}
		each(below, e.Key, canonical)
	}
}
