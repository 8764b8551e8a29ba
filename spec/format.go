package spec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Format writes a value as the text of an image.toml, whose production it is: a spec
// that a program makes is checked as one that is written. What is empty has its
// default; what [File.Variant] returned comes back as it was, but for its variant.
func (s Spec) Format() ([]byte, error) {
	root := entries{}.
		add("name", s.Name).add("title", s.Title).add("version", s.Version).add("licenses", s.Licenses).add("platform", s.Platform).
		add("debian", s.Debian.keys()).add("builder", entries{}.add("packages", s.Builder.Packages)).add("python", s.Python.keys()).
		add("git", each(s.Git, Git.keys)).add("model", each(s.Models, Model.keys)).add("app", s.App.keys()).add("smoke", s.Smoke.keys()).
		add("variant", entries{}.add(Production, entries{}.add("weights", s.Weights).add("extra-packages", s.Extra)))
	text, err := toml.Marshal(map[string]any(root))
	if err != nil {
		return nil, fmt.Errorf("writing spec: %w", err)
	}
	return text, nil
}

// entries are a table that has no entry for what is empty.
type entries map[string]any

func (k entries) add(key string, value any) entries {
	switch v := value.(type) {
	case string:
		if v != "" {
			k[key] = v
		}
	case bool:
		if v {
			k[key] = v
		}
	case entries:
		if len(v) > 0 {
			k[key] = map[string]any(v)
		}
	case []string:
		addList(k, key, v)
	case [][]string:
		addList(k, key, v)
	case []int:
		addList(k, key, v)
	case []map[string]any:
		addList(k, key, v)
	case map[string]string:
		if len(v) > 0 {
			k[key] = v
		}
	case map[string][]string:
		if len(v) > 0 {
			k[key] = v
		}
	}
	return k
}

func addList[T any](k entries, key string, list []T) {
	if len(list) > 0 {
		k[key] = list
	}
}

func each[T any](list []T, table func(T) entries) []map[string]any {
	tables := make([]map[string]any, len(list))
	for i, one := range list {
		tables[i] = table(one)
	}
	return tables
}

func (d Debian) keys() entries {
	return entries{}.add("suites", d.Suites).add("components", d.Components).add("mirror", d.Mirror).add("packages", d.Packages).
		add("exclude", d.Exclude).add("repository", each(d.Repositories, Repository.keys))
}

func (r Repository) keys() entries {
	return entries{}.add("name", r.Name).add("url", r.URL).add("suite", r.Suite).add("components", r.Components).add("key", r.Key)
}

func (p Python) keys() entries {
	own := p.Prune
	if usual := defaultPrune(p.Compile); len(own) >= len(usual) && slices.Equal(own[:len(usual)], usual) {
		own = own[len(usual):]
	}
	return entries{}.add("requirements", p.Requirements).add("lock", p.Lock).add("project", p.Project).add("extras", p.Extras).add("groups", p.Groups).
		add("constraints", p.Constraints).add("overrides", p.Overrides).add("excludes", p.Excludes).add("index-strategy", p.IndexStrategy).
		add("sources", p.Sources).add("optional", p.Optional).add("prune", own).add("collisions", p.Collisions).add("compile", p.Compile).
		add("index", each(p.Indexes, Index.keys)).add("build-requires", p.BuildRequires)
}

func (x Index) keys() entries {
	return entries{}.add("name", x.Name).add("url", x.URL).add("packages", x.Packages)
}

func (g Git) keys() entries {
	return entries{}.add("url", g.URL).add("commit", g.Commit).add("path", g.Path).add("subdir", g.Subdir).add("exclude", g.Exclude)
}

func (m Model) keys() entries {
	renames := entries{}
	for from, to := range m.Rename {
		renames.add(from, to)
	}
	return entries{}.add("name", m.Name).add("from", m.From).add("path", m.Path).add("include", m.Include).add("exclude", m.Exclude).add("rename", renames)
}

func (a App) keys() entries {
	if a.Source == "" {
		return nil // what the others say is of an app
	}
	user := a.User.Name
	if user != "" {
		user = fmt.Sprintf("%s:%d", user, cmp.Or(a.User.UID, defaultUID))
	}
	return entries{}.add("source", a.Source).add("path", a.Path).add("user", user).add("workdir", a.Workdir).add("entrypoint", a.Entrypoint).
		add("command", a.Command).add("env", a.Env).add("ports", a.Ports).add("stop-signal", a.StopSignal)
}

func (s Smoke) keys() entries {
	return entries{}.add("imports", s.Imports).add("run", s.Run).add("elf-ignore", s.ELFIgnore).add("needs-weights", s.NeedsWeights).
		add("gpu", entries{}.add("run", s.GPU))
}
