package spec

import (
	"path"
	"slices"
	"strings"

	"lamina.build/internal/toml"
	"lamina.build/lock"
)

func (d *decoder) python(r *toml.Reader) Python {
	defer r.End()
	texts := func(key string, ok toml.Check) []string { return r.Texts(key, ok, d.note(key)) }
	p := Python{
		Requirements:  d.locals(r, "requirements", file),
		Lock:          d.local(r, "lock", file),
		Project:       d.local(r, "project", projectDir),
		Extras:        texts("extras", projectName),
		Groups:        texts("groups", projectName),
		Constraints:   d.locals(r, "constraints", file),
		Overrides:     texts("overrides", requirement),
		Excludes:      normal(texts("excludes", projectName)),
		IndexStrategy: r.Text("index-strategy", oneOf("first-index", "unsafe-first-match", "unsafe-best-match")),
		Sources:       d.locals(r, "sources", sourceTree),
		Optional:      normal(texts("optional", projectName)),
		Prune:         r.Texts("prune", prune),
		Collisions:    r.Texts("collisions", siteGlob),
		Compile:       r.Bool("compile"),
		Indexes:       d.indexes(r.Blocks("index")),
	}
	p.Prune = append(defaultPrune(p.Compile), p.Prune...)
	r.Pairs("build-requires", projectName, func(below *toml.Reader, key, project string) {
		name := lock.NormalName(project)
		put(&p.BuildRequires, name, below.Texts(key, requirement, d.note("build-requires "+name)))
		d.words["build-requires "+name] = below.Table.Get(key).Offset
	})
	checkOrigins(r, p)
	return p
}

// note records the offsets of the words of a list.
func (d *decoder) note(key string) func(*toml.Value) {
	return func(item *toml.Value) { d.words[key+" "+lock.NormalName(item.Text)] = item.Offset }
}

// checkOrigins requires a single origin of what is installed, and reports keys that
// don't apply to it.
func checkOrigins(r *toml.Reader, p Python) {
	origin := ""
	for _, o := range []struct {
		key   string
		given bool
	}{{"requirements", len(p.Requirements) > 0}, {"lock", p.Lock != ""}, {"project", p.Project != ""}} {
		switch {
		case o.given && origin != "":
			r.Add(r.At(o.key), "%s: %s also says what to install, want one of them", o.key, origin)
		case o.given:
			origin = o.key
		}
	}
	for key, given := range map[string]bool{"extras": len(p.Extras) > 0, "groups": len(p.Groups) > 0} {
		if given && p.Lock == "" && p.Project == "" {
			r.Add(r.At(key), "%s: these belong to a project or a lock, and there is neither", key)
		}
	}
	resolved := len(p.Requirements) > 0 || len(p.Sources) > 0
	for key, given := range map[string]bool{"constraints": len(p.Constraints) > 0, "overrides": len(p.Overrides) > 0, "excludes": len(p.Excludes) > 0} {
		if given && !resolved && (origin == "" || key == "constraints") {
			r.Add(r.At(key), "%s: there are no requirements that they apply to", key)
		}
	}
	taken := map[string]string{}
	for _, dir := range p.Sources {
		name := p.SourceName(dir)
		if other, found := taken[name]; found && other != dir {
			r.Add(r.At("sources"), "sources: %q and %q would both be called %q", other, dir, name)
		}
		taken[name] = dir
	}
	isPylock := strings.HasPrefix(path.Base(p.Lock), "pylock.") && path.Ext(p.Lock) == ".toml" // as in PEP 751
	if p.Lock != "" && path.Base(p.Lock) != "uv.lock" && !isPylock {
		r.Add(r.At("lock"), "lock: %q is neither a pylock.toml (pylock.NAME.toml) nor a uv.lock", p.Lock)
	}
}

func (d *decoder) indexes(blocks []*toml.Reader) []Index {
	list, taken := slices.Grow([]Index(nil), len(blocks)), names{} // none stays nil
	for _, r := range blocks {
		index := Index{Name: r.Need("name", indexName), URL: r.Need("url", anyAddress)}
		if !r.Has("packages") {
			r.Missing("packages: an index serves only the packages listed")
		}
		index.Packages = normal(r.Some("packages", projectName, nil, d.note("packages")))
		taken.take(r, "index", index.Name, r.Table.Offset)
		r.End()
		list = append(list, index)
	}
	return list
}

// normal returns the names of projects as PEP 503 compares them.
func normal(names []string) []string {
	for i, name := range names {
		names[i] = lock.NormalName(name)
	}
	return names
}

// SourceName returns the name of a source tree: its directory's, normalised, or, if two
// directories share that name, its whole path.
func (p Python) SourceName(dir string) string {
	base := func(dir string) string { return lock.NormalName(path.Base(dir)) }
	if dir == "." {
		return "this-directory"
	}
	for _, other := range p.Sources {
		if other != dir && base(other) == base(dir) {
			return lock.NormalName(strings.ReplaceAll(dir, "/", "-"))
		}
	}
	return base(dir)
}
