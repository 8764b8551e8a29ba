package spec

import (
	"slices"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
)

// check says whether a string may stand for a value and returns it in its
// canonical form. The error is a fact about the string, which it quotes.
type check func(string) (string, error)

// reader hands out the values of one table by type. What is asked of it is
// the schema: [reader.end] reports every key that nobody asked for. A value
// that is absent or wrong is the zero value; the wrong ones are reported.
type reader struct {
	*decoder
	table *table // nil where the file has none
	known []string
}

func (d *decoder) read(t *table) *reader { return &reader{decoder: d, table: t} }

func (r *reader) take(key string) *value {
	r.known = append(r.known, key)
	if e := r.table.get(key); e != nil {
		return e.value
	}
	return nil
}

// at returns where a key's value stands, or the table where it has none.
func (r *reader) at(key string) int {
	if e := r.table.get(key); e != nil {
		return e.value.offset
	}
	if r.table == nil {
		return 0
	}
	return r.table.offset
}

func (r *reader) has(key string) bool { return r.table.get(key) != nil }

// end reports the keys of the table that are not part of the schema.
func (r *reader) end() {
	if r.table == nil {
		return
	}
	for _, e := range r.table.keys {
		if slices.Contains(r.known, e.key) {
			continue
		}
		in := ""
		if e.in != "" {
			in = " in " + e.in
		}
		r.faults.add(e.offset, "unknown key %q%s%s", e.key, in, failure.DidYouMean(e.key, r.known))
	}
}

// fit tells whether v is there and of the kind, and reports where it is not.
func (r *reader) fit(key string, v *value, want kind) bool {
	if v != nil && v.kind != want {
		r.faults.add(v.offset, "%s is %s, want %s", key, v.kind, want)
	}
	return v != nil && v.kind == want
}

// str applies ok to the string v of key.
func (r *reader) str(key string, v *value, ok check) string {
	if !r.fit(key, v, kindString) {
		return ""
	}
	s, err := ok(v.text)
	if err != nil {
		r.faults.add(v.offset, "%s: %v", key, err)
		return ""
	}
	return s
}

func (r *reader) text(key string, ok check) string { return r.str(key, r.take(key), ok) }

// need is text for a key that must be there.
func (r *reader) need(key string, ok check) string {
	if !r.has(key) {
		r.missing(key)
	}
	return r.text(key, ok)
}

// missing reports an absent key, unless part of the file could not be read.
func (r *reader) missing(key string) {
	if r.whole {
		r.faults.add(r.table.offset, "%s has no %s", r.table.where, key)
	}
}

func (r *reader) list(key string, visit func(key string, item *value)) {
	v := r.take(key)
	if v == nil || !r.fit(key, v, kindList) {
		return
	}
	for i, item := range v.items {
		visit(key+"["+strconv.Itoa(i)+"]", item)
	}
}

// texts reads a list of different strings.
func (r *reader) texts(key string, ok check) []string {
	var list []string
	seen := map[string]bool{}
	r.list(key, func(_ string, item *value) {
		if !r.fit("an entry of "+key, item, kindString) {
			return
		}
		s := r.str(key, item, ok)
		if s == "" {
			return
		}
		if seen[s] {
			r.faults.add(item.offset, "%s: %q is listed twice", key, item.text)
		}
		seen[s] = true
		list = append(list, s)
	})
	return list
}

// some is texts for a list that may be left out, for a default, but not empty.
func (r *reader) some(key string, ok check, otherwise []string) []string {
	list := r.texts(key, ok)
	v := r.table.get(key)
	if v == nil {
		return otherwise
	}
	if v.value.kind == kindList && len(v.value.items) == 0 {
		r.faults.add(v.value.offset, "%s is empty", key)
	}
	return list
}

// words turns one list of strings into the arguments of a command.
func (r *reader) words(key string, v *value) []string {
	if !r.fit(key, v, kindList) {
		return nil
	}
	var words []string
	for i, item := range v.items {
		if !r.fit("an entry of "+key, item, kindString) {
			continue
		}
		if i == 0 && item.text == "" {
			r.faults.add(item.offset, "%s: the program's name is empty", key)
		}
		if strings.ContainsRune(item.text, 0) {
			r.faults.add(item.offset, "%s: a NUL can't be part of an argument", key)
		}
		words = append(words, item.text)
	}
	return words
}

// commands reads a list of commands, none of them empty.
func (r *reader) commands(key string) [][]string {
	var list [][]string
	r.list(key, func(place string, item *value) {
		words := r.words(place, item)
		if item.kind == kindList && len(item.items) == 0 {
			r.faults.add(item.offset, "%s is empty, want a command", place)
		}
		list = append(list, words)
	})
	return list
}

func (r *reader) truth(key string) bool {
	v := r.take(key)
	return r.fit(key, v, kindBool) && v.text == "true"
}

// number reads v as an integer of the range.
func (r *reader) number(key string, v *value, least, most int) int {
	if !r.fit(key, v, kindInteger) {
		return 0
	}
	n, err := strconv.ParseInt(v.text, 0, 64)
	if err != nil || n < int64(least) || n > int64(most) {
		r.faults.add(v.offset, "%s is %s, want %d to %d", key, v.text, least, most)
		return 0
	}
	return int(n)
}

// below reads the table of a key.
func (r *reader) below(key string) *reader {
	v := r.take(key)
	if !r.fit(key, v, kindTable) {
		return r.read(nil)
	}
	return r.read(v.table)
}

// blocks reads a list of tables.
func (r *reader) blocks(key string) []*reader {
	if e := r.table.get(key); e != nil && e.value.kind == kindTable {
		r.take(key)
		r.faults.add(e.value.offset, "%s is a table, want a list of tables: [%s]", key, e.value.table.where)
		return nil
	}
	var list []*reader
	r.list(key, func(place string, item *value) {
		if r.fit(place, item, kindTable) {
			list = append(list, r.read(item.table))
		}
	})
	return list
}

// pairs reads a table whose keys are the user's own: each is called with the
// reader of that table, the key and its canonical form.
func (r *reader) pairs(key string, name check, each func(below *reader, key, canonical string)) {
	below := r.below(key)
	if below.table == nil {
		return
	}
	for _, e := range below.table.keys {
		canonical, err := name(e.key)
		if err != nil {
			r.faults.add(e.offset, "%s: %v", key, err)
			continue
		}
		each(below, e.key, canonical)
	}
}
