package spec

import (
	"cmp"
	"slices"

	"lamina.build/internal/toml"
)

// decoder turns the tree of one edition into a [Spec]. Its methods are the schema: a
// table may hold exactly the keys that they read.
type decoder struct {
	problems *toml.Problems
	files    []reference    // files and directories the edition requires
	words    map[string]int // offsets of some words, see [File.Places]
}

func newDecoder(problems *toml.Problems) *decoder {
	return &decoder{problems: problems, words: map[string]int{}}
}

func (d *decoder) spec(e edition) Spec {
	r := d.problems.Read(e.doc)
	s := Spec{Variant: e.name, Name: d.name(r)}
	s.Title = cmp.Or(r.Text("title", sentence), s.Name)
	s.Version = r.Text("version", sentence)
	s.Licenses = r.Text("licenses", sentence)
	s.Platforms = d.platforms(r)
	s.Weights, s.Extra = d.variant(e.name, d.problems.Read(e.own))
	s.Debian = d.debian(r.Below("debian"))
	s.Builder = d.builder(r.Below("builder"))
	s.Python = d.python(r.Below("python"))
	gits, models := r.Blocks("git"), r.Blocks("model")
	s.Git = d.git(gits)
	s.Models = d.models(models, s.Weights)
	d.checkTargets(slices.Concat(gits, models))
	s.App = d.app(r.Below("app"), s.Models)
	s.Smoke = d.smoke(r.Below("smoke"))
	r.Know("variant")
	r.End()
	return s
}

// platforms reads one platform or a list.
func (d *decoder) platforms(r *toml.Reader) []string {
	if v := r.Take("platform"); v == nil || v.Kind == toml.List {
		return r.Some("platform", platform, []string{defaultPlatform})
	}
	return []string{r.Text("platform", platform)}
}

func (d *decoder) name(r *toml.Reader) string {
	if !r.Has("name") && r.Whole {
		r.Add(0, `name is missing, write name = "…" at the top`)
	}
	return r.Text("name", imageName)
}

// variant reads the keys of [variant.NAME] that aren't overlays.
func (d *decoder) variant(name string, own *toml.Reader) (weighing string, extra []string) {
	weighing = own.Text("weights", weights)
	if weighing == "" {
		weighing = WeightsLayers
		if name == Minimal {
			weighing = WeightsNone
		}
	}
	extra = own.Texts("extra-packages", packageName)
	if name == Debug && !own.Has("extra-packages") {
		extra = defaultDebugging()
	}
	return weighing, extra
}

func (d *decoder) builder(r *toml.Reader) Builder {
	defer r.End()
	return Builder{Packages: r.Texts("packages", packageName)}
}

// names are the names of blocks of one kind, with the lines for messages.
type names map[string]int

// take reports a name that another block already has. The offset identifies the block.
func (n names) take(r *toml.Reader, what, name string, at int) (taken bool) {
	line, taken := n[name]
	if taken = taken && name != ""; taken {
		r.Add(r.At("name"), "name: the %s in line %d is already called %q", what, line, name)
	}
	n[name] = r.Line(at)
	return taken
}

func (d *decoder) git(blocks []*toml.Reader) []Git {
	list := slices.Grow([]Git(nil), len(blocks)) // none stays nil
	for _, r := range blocks {
		list = append(list, Git{
			URL:     r.Need("url", anyAddress),
			Commit:  r.Need("commit", commit),
			Path:    r.Need("path", target),
			Subdir:  r.Text("subdir", subfolder),
			Exclude: r.Texts("exclude", glob),
		})
		r.End()
	}
	return list
}

// checkTargets reports paths of the image that two blocks fill.
func (d *decoder) checkTargets(blocks []*toml.Reader) {
	slices.SortFunc(blocks, func(a, b *toml.Reader) int { return cmp.Compare(a.At("path"), b.At("path")) })
	lines := map[string]int{}
	for _, r := range blocks {
		e := r.Table.Get("path")
		if e == nil || e.Value.Kind != toml.String {
			continue
		}
		if line, found := lines[e.Value.Text]; found {
			r.Add(e.Value.Offset, "path: %q is already filled by line %d", e.Value.Text, line)
			continue
		}
		lines[e.Value.Text] = r.Line(e.Value.Offset)
	}
}

func (d *decoder) models(blocks []*toml.Reader, weighing string) []Model {
	list, taken := slices.Grow([]Model(nil), len(blocks)), names{} // none stays nil
	for i, r := range blocks {
		m := Model{
			Name:    r.Text("name", modelName),
			From:    r.Need("from", modelSource),
			Path:    r.Need("path", target),
			Include: r.Texts("include", glob),
			Exclude: r.Texts("exclude", glob),
			Rename:  renames(r),

			Published: r.Text("published", imageRepository),
		}
		name, local := m.Local()
		if local && m.Published != "" {
			r.Add(r.At("published"), "published: a model from a directory is packed by each build and never published")
		}
		if i > 0 && !r.Has("name") {
			r.Missing("name, which all models but the first require")
		}
		taken.take(r, "model", m.Name, r.At("name"))
		r.End()
		if local && weighing == WeightsLayers {
			d.files = append(d.files, reference{r.At("from"), "from", name, directory})
		}
		list = append(list, m)
	}
	return list
}

// renames reads the table of new names for a model's files.
func renames(r *toml.Reader) map[string]string {
	var names map[string]string
	taken := map[string]string{}
	r.Pairs("rename", relative, func(below *toml.Reader, key, from string) {
		to := below.Text(key, relative)
		if other, found := taken[to]; found && to != "" {
			below.Add(below.At(key), "rename: %q and %q would both be called %q", other, from, to)
		}
		taken[to] = from
		put(&names, from, to)
	})
	return names
}

// put sets a key of a map, which is nil while empty.
func put[T any](m *map[string]T, key string, value T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[key] = value
}

func (d *decoder) smoke(r *toml.Reader) Smoke {
	defer r.End()
	gpu := r.Below("gpu")
	defer gpu.End()
	return Smoke{
		Imports:      r.Texts("imports", moduleName),
		Run:          commands(r, "run"),
		ELFIgnore:    r.Texts("elf-ignore", elfIgnored),
		NeedsWeights: r.Bool("needs-weights"),
		GPU:          commands(gpu, "run"),
	}
}

func (d *decoder) debian(r *toml.Reader) Debian {
	defer r.End()
	deb := Debian{
		Suites:     suites(r),
		Components: r.Some("components", componentName, defaultComponents()),
		Mirror:     r.Text("mirror", mirrorURL),
		Packages:   r.Texts("packages", packageName),
		Exclude:    r.Texts("exclude", imageGlob),
		Keep:       r.Texts("keep", keptGlob),
		Debconf: r.Texts("debconf", answer, func(item *toml.Value) {
			if canonical, err := answer(item.Text); err == nil {
				d.words["debconf "+canonical] = item.Offset
			}
		}),

		IgnoreValidUntil: r.Has("check-valid-until") && !r.Bool("check-valid-until"),
	}
	if !r.Has("exclude") {
		deb.Exclude = defaultExclude()
	}
	taken := names{}
	for _, block := range r.Blocks("repository") {
		deb.Repositories = append(deb.Repositories, d.repository(block, taken))
	}
	if v := r.Take("suites"); v != nil && v.Kind == toml.List && len(v.Items) == 0 && len(deb.Repositories) == 0 {
		r.Add(v.Offset, "suites is empty and no [[debian.repository]] replaces them")
	}
	return deb
}

// suites reads Debian's own suites, of which there may be none.
func suites(r *toml.Reader) []string {
	if !r.Has("suites") {
		return defaultSuites()
	}
	return append([]string{}, r.Texts("suites", suiteName)...)
}

func (d *decoder) repository(r *toml.Reader, taken names) Repository {
	defer r.End()
	repository := Repository{
		Name:  r.Text("name", repositoryName),
		URL:   r.Need("url", mirrorURL),
		Suite: r.Need("suite", repositorySuite),
	}
	if !r.Has("name") {
		repository.Name = nameFor(repository.URL)
	}
	name := repository.Name
	if !taken.take(r, "repository", name, r.Table.Offset) && (name == "debian" || name == "debian-security") {
		r.Add(r.At("name"), "name: %q is Debian's own repository", name)
	}
	if !r.Has("key") {
		r.Missing("key")
	}
	repository.Key = d.local(r, "key", file)
	if !repository.flat() {
		repository.Components = r.Some("components", componentName, defaultComponents())
		return repository
	}
	if v := r.Take("components"); v != nil {
		r.Add(v.Offset, "components: a flat repository (%q) has none", repository.Suite)
	}
	return repository
}
