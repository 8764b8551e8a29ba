package spec

import (
	"slices"
	"strings"
)

func (d *decoder) debian(r *reader) Debian {
	defer r.end()
	deb := Debian{
		Suites:     r.some("suites", suiteName, defaultSuites()),
		Components: r.some("components", componentName, defaultComponents()),
		Mirror:     r.text("mirror", mirrorURL),
		Packages:   r.texts("packages", packageName),
		Exclude:    r.texts("exclude", imageGlob),
	}
	if !r.has("exclude") {
		deb.Exclude = defaultExclude()
	}
	deb.Repositories = d.repositories(r.blocks("repository"))
	return deb
}

func (d *decoder) repositories(blocks []*reader) []Repository {
	list := slices.Grow([]Repository(nil), len(blocks)) // none stays nil
	lines := map[string]int{}
	for _, r := range blocks {
		repository := d.repository(r)
		name := repository.Name
		switch line, found := lines[name]; {
		case found && name != "":
			r.faults.add(r.named(), "name: the repository of line %d is called %q already", line, name)
		case name == "debian" || name == "debian-security":
			r.faults.add(r.named(), "name: %q is Debian's own repository", name)
		}
		lines[name] = d.faults.doc.line(r.table.offset)
		list = append(list, repository)
	}
	return list
}

func (d *decoder) repository(r *reader) Repository {
	defer r.end()
	repository := Repository{
		Name:  r.text("name", repositoryName),
		URL:   r.need("url", mirrorURL),
		Suite: r.need("suite", repositorySuite),
	}
	if !r.has("name") {
		repository.Name = nameFor(repository.URL)
	}
	if !r.has("key") {
		r.missing("key")
	}
	repository.Key = r.local("key", file)
	flat := strings.HasSuffix(repository.Suite, "/")
	switch {
	case flat && r.has("components"):
		r.faults.add(r.at("components"), "components: a flat repository (%q) has none", repository.Suite)
		r.take("components")
	case flat:
		r.take("components")
	default:
		repository.Components = r.some("components", componentName, defaultComponents())
	}
	return repository
}

// named returns where a block's name stands, or the block where it has none.
func (r *reader) named() int {
	if r.has("name") {
		return r.at("name")
	}
	return r.table.offset
}
