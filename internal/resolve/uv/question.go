package uv

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
)

// DefaultIndex is where a project comes from that no index is named for.
const DefaultIndex = "https://pypi.org/simple"

// Request is one set of wishes.
type Request struct {
	Set           lock.Set // of the lock: "python", "python@blackwell"
	Files         requirements.Set
	Lock          string   // a pylock.toml below the project, in place of Files
	Project       string   // folder of a pyproject.toml below the project, with or without a uv.lock, in place of Files
	ProjectFiles  []string // what uv reads of it, or of Lock
	Extras        []string // of Lock or Project
	Groups        []string // likewise
	Overrides     []string // requirements
	Excludes      []string // normalised projects
	IndexStrategy string   // uv's; "" for its default
	Indexes       []Index
	BuildRequires map[string][]string // by normalised project, or by the name of a source tree
	Sources       map[string]string   // folders of source trees, by their names
	Optional      []string            // normalised projects that may be left out
	Collisions    []string            // globs of paths that two wheels may both hold
	Prune         []string            // globs of paths that no wheel brings into the image
	Imports       []string            // modules that the image is expected to have
	Trees         bool                // some may lie elsewhere, in git trees or a PYTHONPATH
	Places        map[string]string   // where the spec has its words, by "KEY WORD" as names are compared

	uses projectIndexes
}

// Index is a package index that serves some projects, and alone may do so.
type Index struct {
	Name     string
	URL      string
	Packages []string // normalised
}

// Indexes are those of everything that no index is bound to.
type Indexes struct {
	Default string   // URL
	Further []string // URLs, asked first
}

// question is a request in the terms of scripts/resolve.py.
type question struct {
	Requirements  []wish              `json:"requirements"`
	Constraints   []string            `json:"constraints"`
	Overrides     []string            `json:"overrides"`
	Excludes      []string            `json:"excludes"`
	Options       []string            `json:"options"` // of every resolution
	Formats       []string            `json:"formats"` // of the image's alone
	Indexes       []string            `json:"indexes"`
	Export        []string            `json:"export"` // as Indexes, where uv reads a project
	Pylock        string              `json:"pylock"`
	Folder        string              `json:"folder"`  // of the project or the lock
	Locked        bool                `json:"locked"`  // there is a uv.lock
	Folders       []string            `json:"folders"` // of source trees
	Extras        []string            `json:"extras"`
	Groups        []string            `json:"groups"`
	Hashes        map[string][]string `json:"hashes"` // of --hash options, by project
	Bound         []string            `json:"bound"`  // projects that an index is bound to
	BuildRequires map[string][]string `json:"build_requires"`
	Trees         map[string]string   `json:"trees"`
	Optional      []string            `json:"optional"`
	Refresh       bool                `json:"refresh"` // ask the indexes anew
	Known         []string            `json:"known"`
	Before        map[string]string   `json:"before"`
	Image         map[string]string   `json:"image"`
	Builder       map[string]string   `json:"builder"`

	places []place
}

type wish struct {
	Name string `json:"name"`
	Line string `json:"line"`
}

// place is where a project is asked for.
type place struct {
	name string
	at   string // "requirements.txt:3"
}

// Where the exec finds what it is given.
const (
	projectPath = "/.lamina/project"
	treesPath   = "/.lamina/trees"
)

// ask words a request. where says which indexes serve what it binds to none,
// before is the lock that a new one replaces.
func (r Request) ask(where Indexes, there inventory, before versions) question {
	q := question{
		Overrides: r.Overrides, Excludes: r.Excludes, Extras: r.Extras, Groups: r.Groups,
		BuildRequires: r.BuildRequires, Optional: r.Optional, Trees: map[string]string{}, Hashes: map[string][]string{},
		Image: there.Image, Builder: there.Builder,
		Refresh: before.asksAnew(r.Set), Known: before.known(r), Before: before.texts(r),
	}
	q.Options, q.Formats = r.options()
	q.Indexes, q.Export = r.indexArgs(where), r.exportArgs(where)
	for name := range r.Sources {
		q.Trees[name] = path.Join(treesPath, name)
	}
	q.Folders = slices.Sorted(maps.Values(r.Sources))
	for _, i := range r.Indexes {
		q.Bound = append(q.Bound, i.Packages...)
	}
	switch {
	case r.Project != "":
		q.Pylock, q.Folder, q.Locked = "uv.lock", r.Project, r.uses.lock
	case r.Lock != "":
		q.Pylock, q.Folder = r.Lock, path.Dir(r.Lock)
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Hashes != nil {
			q.Hashes[w.Name] = append(q.Hashes[w.Name], w.Hashes...)
		}
	}
	for _, w := range r.Files.Requirements {
		q.Requirements = append(q.Requirements, wish{w.Name, line(w)})
		q.places = append(q.places, place{w.Name, fmt.Sprintf("%s:%d", w.File, w.At)})
	}
	for _, w := range r.Files.Constraints {
		q.Constraints = append(q.Constraints, line(w))
		q.places = append(q.places, place{w.Name, fmt.Sprintf("%s:%d", w.File, w.At)})
	}
	for _, list := range []struct {
		key, kind string // kind stands in front of the name in faults
		words     []string
	}{{"overrides", "", r.Overrides}, {"excludes", "", r.Excludes}, {"extras", "extra ", r.Extras}, {"groups", "group ", r.Groups}} {
		for _, word := range list.words {
			if at := r.Places[list.key+" "+normal(word)]; at != "" {
				q.places = append(q.places, place{list.kind + normal(projectWord.FindString(word)), at})
			}
		}
	}
	return q
}

// at is where the spec has a word, as errors begin.
func (r Request) at(key, word string) string {
	if at := r.Places[key+" "+normal(word)]; at != "" {
		return at + ": "
	}
	return ""
}

// line words a requirement as uv sees it: what lies beside the spec is elsewhere
// in the exec.
func line(r requirements.Requirement) string {
	if r.Kind != requirements.Path {
		return r.Line
	}
	if below, ok := strings.CutPrefix(r.Line, "./"); ok {
		return projectPath + "/" + below
	}
	return strings.Replace(r.Line, " @ ./", " @ "+projectPath+"/", 1)
}

// options are uv's for those of the requirement files, and those that are about
// the image's own distributions. What uv does anyway, or has no word for, is
// left out: it prefers wheels, and a lock has all hashes.
func (r Request) options() (all, formats []string) {
	if r.IndexStrategy != "" {
		all = []string{"--index-strategy", r.IndexStrategy}
	}
	for _, l := range r.Files.FindLinks {
		if !strings.Contains(l, "://") {
			l = projectPath + "/" + l
		}
		all = append(all, "--find-links", l)
	}
	for _, option := range r.Files.Options {
		name, value, _ := strings.Cut(strings.ReplaceAll(option, " ", "="), "=")
		switch name {
		case "--pre":
			all = append(all, "--prerelease", "allow")
		case "--no-binary", "--only-binary":
			for word := range strings.SplitSeq(value, ",") {
				formats = append(formats, name, word)
			}
		}
	}
	return all, formats
}

// indexArgs are uv's for the indexes. It takes a project from the first that has
// it; the door has each serve what is bound to it.
func (r Request) indexArgs(where Indexes) []string {
	args := r.boundArgs()
	own, further := r.own(where)
	if own == "" {
		if len(args) == 0 {
			return []string{"--no-index"}
		}
		// uv has PyPI for one in any case.
		return append(args[:len(args)-2], "--default-index", r.Indexes[len(r.Indexes)-1].URL)
	}
	for _, url := range further {
		args = append(args, "--index", url)
	}
	return append(args, "--default-index", own)
}

// boundArgs are those for the indexes that projects are bound to.
func (r Request) boundArgs() (args []string) {
	for _, i := range r.Indexes {
		args = append(args, "--index", i.URL)
	}
	return args
}

// own are the indexes of what is bound to none: those of the requirement files
// before all others; "" where these want none.
func (r Request) own(where Indexes) (own string, further []string) {
	if r.Files.NoIndex {
		return "", nil
	}
	if r.Files.IndexURL != "" {
		return r.Files.IndexURL, r.Files.ExtraIndexURLs
	}
	return where.Default, slices.Concat(r.Files.ExtraIndexURLs, where.Further)
}

// links are the addresses of pages that list files.
func (r Request) links() []string {
	return slices.DeleteFunc(slices.Clone(r.Files.FindLinks), func(l string) bool { return !strings.Contains(l, "://") })
}

// projects are those that the requirement files ask for by name.
func (r Request) projects() []string {
	names := make([]string, 0, len(r.Files.Requirements))
	for _, w := range r.Files.Requirements {
		names = append(names, w.Name)
	}
	return names
}

// asksIndexes says whether there is anything that a door is needed for, whatever
// trees turn out to need.
func (r Request) asksIndexes() bool {
	return len(r.Files.Requirements) > 0 || r.Lock != "" || r.Project != "" || len(r.BuildRequires) > 0
}

// text is q as the script reads it. Lists that are nil would be null to it.
func (q question) text() (string, error) {
	for _, list := range []*[]string{&q.Constraints, &q.Overrides, &q.Excludes, &q.Options, &q.Formats, &q.Indexes, &q.Export, &q.Extras, &q.Groups, &q.Bound, &q.Folders, &q.Optional, &q.Known} {
		*list = append([]string{}, *list...)
	}
	q.Requirements = append([]wish{}, q.Requirements...)
	for _, table := range []*map[string]string{&q.Trees, &q.Before, &q.Image, &q.Builder} {
		if *table == nil {
			*table = map[string]string{}
		}
	}
	if q.BuildRequires == nil {
		q.BuildRequires = map[string][]string{}
	}
	data, err := json.Marshal(q)
	return string(data), err
}

// versions are what a lock before had, for a new one to keep.
type versions struct {
	lock    lock.Lock
	upgrade Upgrade
}

// Upgrade says which versions of a lock don't stay. Its zero value keeps all
// that still answer the spec.
type Upgrade struct {
	All      bool
	Packages []string // names of projects
}

// normal has the names as indexes know them.
func (u Upgrade) normal() Upgrade {
	names := make([]string, len(u.Packages))
	for i, name := range u.Packages {
		names[i] = normal(name)
	}
	return Upgrade{u.All, names}
}

// asksAnew says whether uv asks for pages that it has kept. What a page names may
// pass the door once the page did, or where the lock before has it.
func (v versions) asksAnew(set lock.Set) bool {
	return v.upgrade.All || len(v.upgrade.Packages) > 0 || len(v.set(set)) == 0
}

// in are the distributions of a set that stay where they can.
func (v versions) in(set lock.Set) []lock.Distribution {
	if v.upgrade.All {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.set(set)), func(d lock.Distribution) bool { return slices.Contains(v.upgrade.Packages, d.Name) })
}

// set is exactly that one, not the one that a variant takes.
func (v versions) set(set lock.Set) []lock.Distribution {
	var in []lock.Distribution
	for _, d := range v.lock.Distributions {
		if slices.Contains(d.For, set) {
			in = append(in, d)
		}
	}
	return in
}

// texts words what stays as uv reads it: a pylock.toml for the set itself, by "",
// and one for what each project is built with, by its name.
func (v versions) texts(r Request) map[string]string {
	texts := map[string]string{"": pins(v.in(r.Set), v.refs(r))}
	for set := range v.builds(r) {
		texts[set.Project] = pins(v.in(set), nil)
	}
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	return texts
}

// builds are the sets of what projects of a request were built with.
func (v versions) builds(r Request) map[lock.Set]bool {
	sets := map[lock.Set]bool{}
	for _, d := range v.lock.Distributions {
		for _, set := range d.For {
			if set.Kind == lock.SetBuild && set.Variant == r.Set.Variant {
				sets[set] = true
			}
		}
	}
	return sets
}

// refs are what the lines of r call the commits of the lock before, by repository
// and folder: uv keeps a commit for what it was asked for then.
func (v versions) refs(r Request) map[[2]string]string {
	refs, lines := map[[2]string]string{}, v.lines(r.Set)
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Kind == requirements.Git && (slices.Contains(lines, w.Wish()) || slices.Contains(lines, "-c "+w.Wish())) {
			refs[[2]string{sshAddress.ReplaceAllString(w.URL, "https://$1/"), w.Subdirectory}] = w.Ref
		}
	}
	return refs
}

// pins words versions as a pylock.toml; "" where none has one: uv takes no lock
// without packages.
func pins(list []lock.Distribution, refs map[[2]string]string) string {
	var text strings.Builder
	for _, d := range list {
		remote, commit, below, git := d.Git()
		ref, asked := refs[[2]string{remote, below}]
		if git && !asked {
			continue
		}
		fmt.Fprintf(&text, "[[packages]]\nname = %q\nversion = %q\n", d.Name, d.Version)
		switch {
		case git && ref == "":
			fmt.Fprintf(&text, "vcs = { type = \"git\", url = %q, commit-id = %q }\n", remote, commit)
		case git:
			fmt.Fprintf(&text, "vcs = { type = \"git\", url = %q, requested-revision = %q, commit-id = %q }\n", remote, ref, commit)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "lock-version = \"1.0\"\ncreated-by = \"lamina\"\n" + text.String()
}

// known are the sdists and commits of which the lock before has what they are
// built with. What the spec says of that may have changed since.
func (v versions) known(r Request) []string {
	if v.upgrade.All || len(v.upgrade.Packages) > 0 || v.lock.UV == (lock.UV{}) {
		return nil // of an earlier format there are no more than versions
	}
	var known []string
	for _, d := range v.set(r.Set) {
		if d.IsWheel() || r.BuildRequires[d.Name] != nil || v.asked(r.Set, d.Name) {
			continue
		}
		known = append(known, id(d))
	}
	return known
}

// id is what the script calls a distribution by.
func id(d lock.Distribution) string {
	if _, below := d.Archive(); d.SHA256 != "" {
		return strings.TrimSuffix(d.SHA256+"#"+below, "#")
	}
	return d.URL
}

// asked says whether the lock before was told what a project is built with.
func (v versions) asked(set lock.Set, project string) bool {
	return slices.ContainsFunc(v.lines(set), func(line string) bool {
		return strings.HasPrefix(line, "build-requires "+project+":")
	})
}

// lines are the wishes that the lock before answers with a set.
func (v versions) lines(set lock.Set) []string {
	for _, r := range v.lock.Python {
		if r.Set == set {
			return r.Lines
		}
	}
	return nil
}
