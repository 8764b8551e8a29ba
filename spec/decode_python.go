package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/resolve/requirements"
)

func (d *decoder) python(r *reader) Python {
	defer r.end()
	p := Python{
		Requirements: r.locals("requirements", file),
		Lock:         r.local("lock", file),
		Project:      r.local("project", projectFolder),
		Extras:       r.texts("extras", projectName),
		Groups:       r.texts("groups", projectName),
		Constraints:  r.locals("constraints", file),
		Overrides:    r.texts("overrides", buildRequirement),
		Excludes:     normal(r.texts("excludes", projectName)),
		Sources:      r.locals("sources", sourceTree),
		Optional:     normal(r.texts("optional", projectName)),
		Prune:        r.texts("prune", prune),
		Collisions:   r.texts("collisions", siteGlob),
		Compile:      r.truth("compile"),
		Indexes:      d.indexes(r.blocks("index")),
	}
	p.Prune = append(defaultPrune(p.Compile), p.Prune...)
	p.IndexStrategy = r.text("index-strategy", oneOf("first-index", "unsafe-first-match", "unsafe-best-match"))
	p.BuildRequires = r.buildRequires()
	for _, key := range []string{"overrides", "excludes", "extras", "groups", "optional"} {
		r.placed(key)
	}
	r.checkOrigins(p)
	return p
}

// mark is an entry of a list of [python], "KEY ENTRY" as names are compared, and
// where it stands.
type mark struct {
	entry  string
	offset int
}

// placed notes where the entries of a list stand.
func (r *reader) placed(key string) {
	r.list(key, func(_ string, item *value) {
		r.marks = append(r.marks, mark{key + " " + requirements.Normal(item.text), item.offset})
	})
}

// checkOrigins wants one origin of what is installed, and of other keys those
// that say something about it.
func (r *reader) checkOrigins(p Python) {
	origin := ""
	for _, o := range []struct {
		key   string
		given bool
	}{{"requirements", len(p.Requirements) > 0}, {"lock", p.Lock != ""}, {"project", p.Project != ""}} {
		switch {
		case o.given && origin != "":
			r.faults.add(r.at(o.key), "%s: it and %s both say what to install, want one of them", o.key, origin)
		case o.given:
			origin = o.key
		}
	}
	for key, given := range map[string]bool{"extras": len(p.Extras) > 0, "groups": len(p.Groups) > 0} {
		if given && p.Lock == "" && p.Project == "" {
			r.faults.add(r.at(key), "%s: they are those of a project or a lock, and there is neither", key)
		}
	}
	resolved := len(p.Requirements) > 0 || len(p.Sources) > 0
	for key, given := range map[string]bool{"constraints": len(p.Constraints) > 0, "overrides": len(p.Overrides) > 0, "excludes": len(p.Excludes) > 0} {
		if given && !resolved && (origin == "" || key == "constraints") {
			r.faults.add(r.at(key), "%s: there are no requirements that they are about", key)
		}
	}
	names := map[string]string{}
	for _, dir := range p.Sources {
		name := p.SourceName(dir)
		if other, taken := names[name]; taken && other != dir {
			r.faults.add(r.at("sources"), "sources: %q and %q would both be called %q", other, dir, name)
		}
		names[name] = dir
	}
	if p.Lock != "" && path.Base(p.Lock) != uvLock && !isPylock(path.Base(p.Lock)) {
		r.faults.add(r.at("lock"), "lock: %q is neither a pylock.toml (pylock.NAME.toml) nor a uv.lock", p.Lock)
	}
}

// uvLock is what uv calls its lock.
const uvLock = "uv.lock"

// isPylock knows the names that PEP 751 has for a lock.
func isPylock(name string) bool {
	return strings.HasPrefix(name, "pylock.") && strings.HasSuffix(name, ".toml")
}

// buildRequires reads what the sdists of projects need to be built.
func (r *reader) buildRequires() map[string][]string {
	requires := map[string][]string{}
	r.pairs("build-requires", projectName, func(below *reader, key, project string) {
		name := requirements.Normal(project)
		requires[name] = below.texts(key, buildRequirement)
		r.marks = append(r.marks, mark{"build-requires " + name, below.table.get(key).offset})
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
		r.placed("packages")
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
