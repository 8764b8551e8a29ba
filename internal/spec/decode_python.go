package spec

import (
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/requirements"
)

func (d *decoder) python(r *reader) Python {
	defer r.end()
	p := Python{
		Requirements: r.locals("requirements", file),
		Lock:         r.local("lock", file),
		Constraints:  r.locals("constraints", file),
		Sources:      r.locals("sources", sourceTree),
		Optional:     normal(r.texts("optional", projectName)),
		Prune:        r.texts("prune", prune),
		Collisions:   r.texts("collisions", siteGlob),
		Compile:      r.truth("compile"),
		Indexes:      d.indexes(r.blocks("index")),
	}
	p.Prune = append(defaultPrune(p.Compile), p.Prune...)
	p.BuildRequires = r.buildRequires()
	if p.Lock != "" && len(p.Requirements) > 0 {
		r.faults.add(r.at("lock"), "lock: %q and requirements both say what to install, want one of them", p.Lock)
	}
	if len(p.Constraints) > 0 && len(p.Requirements) == 0 {
		r.faults.add(r.at("constraints"), "constraints: there are no requirements that they constrain")
	}
	return p
}

// buildRequires reads what the sdists of projects need to be built.
func (r *reader) buildRequires() map[string][]string {
	requires := map[string][]string{}
	r.pairs("build-requires", projectName, func(below *reader, key, project string) {
		requires[requirements.Normal(project)] = below.texts(key, buildRequirement)
	})
	if len(requires) == 0 {
		return nil
	}
	return requires
}

// buildRequirement checks a requirement that a lock will hold as it is written.
func buildRequirement(s string) (string, error) {
	if _, err := requirement(s); err != nil {
		return "", err
	}
	return s, requirements.Check(s)
}

func (d *decoder) indexes(blocks []*reader) []Index {
	list := slices.Grow([]Index(nil), len(blocks)) // none stays nil
	lines := map[string]int{}
	for _, r := range blocks {
		index := Index{Name: r.need("name", indexName), URL: r.need("url", anyAddress)}
		if !r.has("packages") {
			r.missing("packages: an index serves what it is asked for by name, and nothing else")
		}
		index.Packages = normal(r.some("packages", projectName, nil))
		if line, found := lines[index.Name]; found && index.Name != "" {
			r.faults.add(r.at("name"), "name: the index of line %d is called %q already", line, index.Name)
		}
		lines[index.Name] = d.faults.doc.line(r.table.offset)
		r.end()
		list = append(list, index)
	}
	return list
}

// normal returns the names of projects as PEP 503 compares them.
func normal(names []string) []string {
	for i, name := range names {
		names[i] = requirements.Normal(name)
	}
	return names
}

// prune checks a pattern of files that wheels leave out; a ! before it takes
// back what earlier ones leave out.
func prune(s string) (string, error) {
	if _, err := siteGlob(strings.TrimPrefix(s, "!")); err != nil {
		return "", err
	}
	return s, nil
}

// siteGlob checks a pattern for paths below site-packages, or below /usr/local
// for what lies elsewhere. It is of the same kind as [imageGlob].
func siteGlob(s string) (string, error) {
	if strings.Contains(s, "[") {
		return "", fmt.Errorf("%q holds a [, want only *, ** and ?", s)
	}
	return glob(s)
}
