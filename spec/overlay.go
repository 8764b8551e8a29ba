package spec

import (
	"maps"
	"slices"
)

// The variants that every spec has.
const (
	Production = "production" // the one that is built where nobody asks for another
	Minimal    = "minimal"    // without the models' files, unless the file says otherwise
	Debug      = "debug"      // with tools to look into a running container
)

// edition is the file as one variant has it.
type edition struct {
	name     string
	own      *table // the [variant.NAME] table, nil where the file has none
	doc      *table // the file without its variants, own laid over it
	overlays bool   // own changes something of doc
}

// What of a file a variant may have otherwise, and what it may not although
// it stands in a table that may be overlaid: one lock answers all variants.
var (
	overlaid = []string{"debian", "builder", "python", "git", "model", "app", "smoke"}
	common   = []string{"name", "title", "version", "licenses", "platform"}
)

// editions lays each variant over the file. The result holds every variant
// that the file names and those that always exist, by name.
func editions(root *table, found *faults) map[string]edition {
	doc := without(root, "variant")
	all := map[string]edition{}
	for _, name := range []string{Production, Minimal, Debug} {
		all[name] = edition{name: name, doc: doc}
	}
	r := (&decoder{faults: found}).read(root)
	variants := r.below("variant")
	if variants.table == nil {
		return all
	}
	for _, e := range variants.table.keys {
		own := variants.below(e.key)
		if _, err := variantName(e.key); err != nil {
			found.add(e.offset, "variant: %v", err)
		} else if own.table != nil {
			own.checkOverlay()
			over := only(own.table, overlaid...)
			all[e.key] = edition{name: e.key, own: own.table, doc: merge(doc, over), overlays: len(over.keys) > 0}
		}
	}
	return all
}

// checkOverlay reports what a variant can't overlay.
func (r *reader) checkOverlay() {
	r.known = append([]string{"weights", "extra-packages"}, overlaid...)
	for _, key := range common {
		if e := r.table.get(key); e != nil {
			r.known = append(r.known, key)
			r.faults.add(e.offset, "%s can't differ between variants", key)
		}
	}
	r.end()
	debian := r.table.get("debian")
	if debian == nil || debian.value.kind != kindTable {
		return
	}
	for _, key := range []string{"suites", "mirror"} {
		if e := debian.value.table.get(key); e != nil {
			r.faults.add(e.offset, "%s can't differ between variants: one lock answers all of them", key)
		}
	}
}

// merge lays one table over another: tables merge, anything else replaces.
// Neither is changed; every key keeps the place it was written at.
func merge(under, over *table) *table {
	merged := newTable(under.offset, under.where, under.origin)
	for _, e := range under.keys {
		merged.put(e)
	}
	for _, e := range over.keys {
		old := merged.get(e.key)
		if old != nil && old.value.kind == kindTable && e.value.kind == kindTable {
			v := *e.value
			v.table = merge(old.value.table, e.value.table)
			e = &entry{e.key, e.offset, e.in, &v}
		}
		merged.put(e)
	}
	return merged
}

// without returns t with some keys left out.
func without(t *table, keys ...string) *table {
	rest := newTable(t.offset, t.where, t.origin)
	for _, e := range t.keys {
		if !slices.Contains(keys, e.key) {
			rest.put(e)
		}
	}
	return rest
}

// only returns t with no other keys than these.
func only(t *table, keys ...string) *table {
	part := newTable(t.offset, t.where, t.origin)
	for _, e := range t.keys {
		if slices.Contains(keys, e.key) {
			part.put(e)
		}
	}
	return part
}

// order returns the names of the variants, production first, the rest sorted.
func order(all map[string]edition) []string {
	names := slices.Sorted(maps.Keys(all))
	i := slices.Index(names, Production)
	return slices.Insert(slices.Delete(names, i, i+1), 0, Production)
}
