package spec

import (
	"cmp"
	"slices"
)

// decoder turns the tree of one edition into a [Spec]. Its methods are the
// schema: what they ask of a table is what the table may hold.
type decoder struct {
	faults *faults
	whole  bool        // the file could be read to its end, so what is absent is missing
	files  []reference // files and folders the edition needs
	marks  []mark      // of [python]
}

func (d *decoder) spec(e edition) Spec {
	r, own := d.read(e.doc), d.read(e.own)
	s := Spec{Variant: e.name, Name: d.name(r)}
	s.Title = orElse(r.text("title", sentence), s.Name)
	s.Version = r.text("version", sentence)
	s.Licenses = r.text("licenses", sentence)
	s.Platform = orElse(r.text("platform", platform), defaultPlatform)
	s.Weights, s.Extra = d.variant(e.name, own)
	s.Debian = d.debian(r.below("debian"))
	s.Builder = d.builder(r.below("builder"))
	s.Python = d.python(r.below("python"))
	gits, models := r.blocks("git"), r.blocks("model")
	s.Git = d.git(gits)
	s.Models = d.models(models, s.Weights)
	d.checkTargets(slices.Concat(gits, models))
	s.App = d.app(r.below("app"), s.Models)
	s.Smoke = d.smoke(r.below("smoke"))
	r.known = append(r.known, "variant")
	r.end()
	return s
}

func (d *decoder) name(r *reader) string {
	if !r.has("name") && d.whole {
		d.faults.add(0, `name is missing, write name = "…" at the top`)
	}
	return r.text("name", imageName)
}

// variant reads what [variant.NAME] has beside overlays.
func (d *decoder) variant(name string, own *reader) (weighing string, extra []string) {
	weighing = own.text("weights", weights)
	if weighing == "" {
		weighing = WeightsLayers
		if name == Minimal {
			weighing = WeightsNone
		}
	}
	extra = own.texts("extra-packages", packageName)
	if name == Debug && !own.has("extra-packages") {
		extra = defaultDebugging()
	}
	return weighing, extra
}

func (d *decoder) builder(r *reader) Builder {
	defer r.end()
	return Builder{Packages: r.texts("packages", packageName)}
}

func (d *decoder) git(blocks []*reader) []Git {
	list := slices.Grow([]Git(nil), len(blocks)) // none stays nil
	for _, r := range blocks {
		list = append(list, Git{
			URL:     r.need("url", anyAddress),
			Commit:  r.need("commit", commit),
			Path:    r.need("path", target),
			Subdir:  r.text("subdir", subfolder),
			Exclude: r.texts("exclude", glob),
		})
		r.end()
	}
	return list
}

// checkTargets reports paths of the image that two blocks would fill.
func (d *decoder) checkTargets(blocks []*reader) {
	slices.SortFunc(blocks, func(a, b *reader) int { return cmp.Compare(a.at("path"), b.at("path")) })
	lines := map[string]int{}
	for _, r := range blocks {
		e := r.table.get("path")
		if e == nil || e.value.kind != kindString {
			continue
		}
		if line, found := lines[e.value.text]; found {
			d.faults.add(e.value.offset, "path: %q is filled by line %d already", e.value.text, line)
			continue
		}
		lines[e.value.text] = d.faults.doc.line(e.value.offset)
	}
}

func (d *decoder) models(blocks []*reader, weighing string) []Model {
	list := slices.Grow([]Model(nil), len(blocks)) // none stays nil
	names := map[string]int{}
	for i, r := range blocks {
		m := Model{
			Name:    r.text("name", modelName),
			From:    r.need("from", modelSource),
			Path:    r.need("path", target),
			Include: r.texts("include", glob),
			Exclude: r.texts("exclude", glob),
			Rename:  r.renames(),
		}
		if i > 0 && !r.has("name") {
			r.missing("name, which each model but the first needs")
		}
		if line, found := names[m.Name]; found && m.Name != "" {
			r.faults.add(r.at("name"), "name: the model of line %d is called %q already", line, m.Name)
		}
		names[m.Name] = d.faults.doc.line(r.at("name"))
		r.end()
		d.source(r, m, weighing)
		list = append(list, m)
	}
	return list
}

// source notes the folder that a local model needs.
func (d *decoder) source(r *reader, m Model, weighing string) {
	if folderName, local := m.Local(); local && weighing == WeightsLayers {
		d.needs(r.at("from"), "from", folderName, folder)
	}
}

// renames reads the table that gives files of a model other names.
func (r *reader) renames() map[string]string {
	names, taken := map[string]string{}, map[string]string{}
	r.pairs("rename", relative, func(below *reader, key, from string) {
		to := below.text(key, relative)
		if other, found := taken[to]; found && to != "" {
			below.faults.add(below.at(key), "rename: %q and %q would both be called %q", other, from, to)
		}
		names[from], taken[to] = to, from
	})
	if len(names) == 0 {
		return nil
	}
	return names
}

func (d *decoder) smoke(r *reader) Smoke {
	defer r.end()
	gpu := r.below("gpu")
	defer gpu.end()
	return Smoke{
		Imports:      r.texts("imports", moduleName),
		Run:          r.commands("run"),
		ELFIgnore:    r.texts("elf-ignore", soname),
		NeedsWeights: r.truth("needs-weights"),
		GPU:          gpu.commands("run"),
	}
}

// ports reads the ports that the app listens on.
func (r *reader) ports() []int {
	var list []int
	r.list("ports", func(_ string, item *value) {
		port := r.number("an entry of ports", item, 1, 65535)
		if port == 0 {
			return
		}
		if slices.Contains(list, port) {
			r.faults.add(item.offset, "ports: %d is listed twice", port)
		}
		list = append(list, port)
	})
	return list
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
