package spec

import (
	"slices"
	"strings"
)

func (d *decoder) python(r *reader) Python {
	defer r.end()
	p := Python{
		Requirements: r.locals("requirements", file),
		Lock:         r.local("lock", file),
		Constraints:  r.locals("constraints", file),
		Sources:      r.locals("sources", sourceTree),
		Optional:     r.texts("optional", projectName),
		Prune:        r.texts("prune", glob),
		Compile:      r.truth("compile"),
		Indexes:      d.indexes(r.blocks("index")),
	}
	p.BuildRequires = r.buildRequires()
	if p.Lock != "" && len(p.Requirements) > 0 {
		r.faults.add(r.at("lock"), "lock: %q and requirements both say what to install, want one of them", p.Lock)
	}
	d.pythonLater(r, p)
	return p
}

// buildRequires reads what the sdists of projects need to be built.
func (r *reader) buildRequires() map[string][]string {
	requires := map[string][]string{}
	r.pairs("build-requires", projectName, func(below *reader, key, project string) {
		requires[project] = below.texts(key, requirement)
	})
	if len(requires) == 0 {
		return nil
	}
	return requires
}

func (d *decoder) indexes(blocks []*reader) []Index {
	list := slices.Grow([]Index(nil), len(blocks)) // none stays nil
	lines := map[string]int{}
	for _, r := range blocks {
		index := Index{Name: r.need("name", indexName), URL: r.need("url", anyAddress)}
		if !r.has("packages") {
			r.missing("packages: an index serves what it is asked for by name, and nothing else")
		}
		index.Packages = r.some("packages", projectName, nil)
		if line, found := lines[index.Name]; found && index.Name != "" {
			r.faults.add(r.at("name"), "name: the index of line %d is called %q already", line, index.Name)
		}
		lines[index.Name] = d.faults.doc.line(r.table.offset)
		r.end()
		list = append(list, index)
	}
	return list
}

// pythonLater notes what only the installing of wheels from an index needs.
func (d *decoder) pythonLater(r *reader, p Python) {
	for _, one := range []struct {
		key, what string
		used      bool
	}{
		{"requirements", "python.requirements", len(p.Requirements) > 0},
		{"lock", "python.lock", p.Lock != ""},
		{"constraints", "python.constraints", len(p.Constraints) > 0},
		{"optional", "python.optional", len(p.Optional) > 0},
		{"prune", "python.prune", len(p.Prune) > 0},
		{"compile", "python.compile", p.Compile},
		{"index", "[[python.index]]", len(p.Indexes) > 0},
		{"build-requires", "[python.build-requires]", len(p.BuildRequires) > 0},
	} {
		if !one.used {
			continue
		}
		e := r.table.get(one.key)
		offset := e.offset
		if strings.HasPrefix(one.what, "[") {
			offset = e.value.offset
		}
		d.notYet(offset, one.what)
	}
}
