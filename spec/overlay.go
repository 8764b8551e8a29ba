package spec

import (
	"maps"
	"slices"

	"lamina.build/internal/toml"
)

// The variants that every spec has.
const (
	Production = "production" // built by default
	Minimal    = "minimal"    // without the models' files, unless the file says otherwise
	Debug      = "debug"      // with tools to inspect a running container
)

// edition is the file as one variant sees it.
type edition struct {
	name     string
	own      *toml.Table // the [variant.NAME] table, nil where the file has none
	doc      *toml.Table // the file without its variants, overlaid with own
	overlays bool        // own changes something in doc
}

// The tables that a variant may overlay, and the keys that must be common to all
// variants: one lock serves all of them.
var (
	overlaid = []string{"debian", "builder", "python", "git", "model", "app", "smoke"}
	common   = []string{"name", "title", "version", "licenses", "platform"}
)

// bare returns the file without its variants.
func bare(doc *toml.Document) *toml.Table {
	return doc.Root.Filter(func(key string) bool { return key != "variant" })
}

// editions overlays the file with each variant: those that it names and those that always
// exist, production first, the rest sorted.
func editions(problems *toml.Problems) []edition {
	own := map[string]*toml.Table{Minimal: nil, Debug: nil}
	problems.Read(problems.Root).Pairs("variant", variantName, func(variants *toml.Reader, key, _ string) {
		if r := variants.Below(key); r.Table != nil {
			checkOverlay(r)
			own[key] = r.Table
		}
	})
	production := own[Production]
	delete(own, Production)
	list := make([]edition, 1, 1+len(own))
	list[0] = newEdition(Production, problems.Document, production)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		list = append(list, newEdition(name, problems.Document, own[name]))
	}
	return list
}

func newEdition(name string, doc *toml.Document, own *toml.Table) edition {
	e := edition{name: name, own: own, doc: bare(doc)}
	if own != nil {
		over := own.Filter(func(key string) bool { return slices.Contains(overlaid, key) })
		e.doc, e.overlays = e.doc.Merge(over), len(over.Keys) > 0
	}
	return e
}

// checkOverlay reports keys that a variant can't overlay.
func checkOverlay(r *toml.Reader) {
	r.Know("weights", "extra-packages")
	r.Know(overlaid...)
	for _, key := range common {
		if e := r.Table.Get(key); e != nil {
			r.Know(key)
			r.Add(e.Offset, "%s can't differ between variants", key)
		}
	}
	r.End()
	debian := r.Table.Get("debian")
	if debian == nil || debian.Value.Kind != toml.Map {
		return
	}
	for _, key := range []string{"suites", "mirror"} {
		if e := debian.Value.Table.Get(key); e != nil {
			r.Add(e.Offset, "%s can't differ between variants: one lock answers all of them", key)
		}
	}
}
