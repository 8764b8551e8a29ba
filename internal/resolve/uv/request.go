package uv

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// DefaultIndex is the index of projects for which none is named.
const DefaultIndex = "https://pypi.org/simple"

// Request is one set of requirements.
type Request struct {
	Set           lock.Set // of the lock: "python", "python@blackwell"
	Files         reqfile.Set
	Lock          string                // a pylock.toml below the project, instead of Files
	Project       string                // directory of a pyproject.toml below the project, with or without a uv.lock, instead of Files
	ProjectFiles  []string              // that uv reads for Project or Lock
	ProjectTexts  []string              // their parts that have requirements, without LockText
	LockText      string                // the content of Lock, or of the uv.lock of Project
	Uses          ProjectIndexes        // of Project
	Declared      []reqfile.Requirement // of the pyproject.toml of Project
	Extras        []string              // of Lock or Project
	Groups        []string              // likewise
	Overrides     []string              // requirements
	Excludes      []string              // normalized projects
	IndexStrategy string                // uv's; "" for its default
	Indexes       []Index
	BuildRequires map[string][]string // by normalized project, or by the name of a source tree
	Sources       map[string]string   // directories of source trees, by name
	TreeTexts     []string            // the parts of their pyproject.toml files that have requirements
	TreePrograms  []string            // their other files that may have some, without comments
	Optional      []string            // normalized projects that may be left out
	Collisions    []string            // globs of paths that two wheels may both have
	Prune         []string            // globs of paths left out of the image
	Imports       []string            // modules that the image should have
	Trees         bool                // some modules may be in git trees or a PYTHONPATH
	Places        map[string]string   // positions in the spec, by "KEY WORD" with normalized names
}

// ProjectIndexes are the indexes that a project of uv names.
type ProjectIndexes struct {
	URLs    []string          // of all
	Named   []string          // of those in its settings, not only in its uv.lock
	Links   []string          // pages with links to files
	Names   map[string]string // URLs by the names in its settings
	Default bool              // one is for unbound projects
	Locked  bool              // there is a uv.lock
}

// Lines returns the requirement files as lines of one, sorted, each once, so that equal
// requests have equal lines. A constraint is a line of its own with -c. The content of
// archives next to the spec and of directories of links is not part of them.
func (r Request) Lines() []string {
	lines := slices.Clone(r.Files.Options)
	add := func(option string, values ...string) {
		for _, value := range values {
			lines = append(lines, option+value)
		}
	}
	for _, w := range r.Files.Requirements {
		add("", w.Text())
	}
	for _, c := range r.Files.Constraints {
		add("-c ", c.Text())
	}
	if r.Files.IndexURL != "" {
		add("--index-url ", r.Files.IndexURL)
	}
	if r.Files.NoIndex {
		add("", "--no-index")
	}
	add("--extra-index-url ", r.Files.ExtraIndexURLs...)
	add("--find-links ", r.Files.FindLinks...)
	slices.Sort(lines)
	return slices.Compact(lines)
}

// Index is a package index that exclusively serves some projects.
type Index struct {
	Name     string
	URL      string
	Packages []string // normalized
}

// Indexes are the indexes of all unbound projects.
type Indexes struct {
	Default string   // URL
	Further []string // URLs, asked first
}

// at returns the position of a word in the spec, as the prefix of an error.
func (r Request) at(key, word string) string {
	if at := r.Places[key+" "+normal(word)]; at != "" {
		return at + ": "
	}
	return ""
}

// options returns uv's options for those of the requirement files, and for the formats of
// the image's own distributions. It leaves out what uv does anyway or has no option for: it
// prefers wheels, and a lock has all hashes.
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

// indexArgs returns uv's arguments for the indexes. uv uses the first index that has a
// project; the door enforces the bindings.
func (r Request) indexArgs(where Indexes) []string {
	args := r.boundArgs()
	own, further := r.own(where)
	if own == "" {
		if len(args) == 0 {
			return []string{"--no-index"}
		}
		// Otherwise uv would use PyPI.
		return append(args[:len(args)-2], "--default-index", r.Indexes[len(r.Indexes)-1].URL)
	}
	for _, url := range further {
		args = append(args, "--index", url)
	}
	return append(args, "--default-index", own)
}

// boundArgs returns the arguments for the indexes that projects are bound to.
func (r Request) boundArgs() (args []string) {
	for _, i := range r.Indexes {
		args = append(args, "--index", i.URL)
	}
	return args
}

// exportArgs returns uv's arguments for the indexes of a project: none if its lock was made
// from others, and no other default if it has its own.
func (r Request) exportArgs(where Indexes) []string {
	own, _ := r.own(where)
	switch {
	case r.Uses.Locked && (r.Uses.Default || !slices.Contains(r.Uses.URLs, own)):
		return nil
	case r.Uses.Default:
		return r.boundArgs()
	}
	return r.indexArgs(where)
}

// own returns the indexes of unbound projects: those of the requirement files before all
// others; "" with --no-index.
func (r Request) own(where Indexes) (own string, further []string) {
	if r.Files.NoIndex {
		return "", nil
	}
	if r.Files.IndexURL != "" {
		return r.Files.IndexURL, r.Files.ExtraIndexURLs
	}
	return where.Default, slices.Concat(r.Files.ExtraIndexURLs, where.Further)
}

// serving returns the indexes that may serve a project.
func (r Request) serving(project string, where Indexes) []string {
	var list []string
	for _, i := range r.Indexes {
		if slices.Contains(i.Packages, project) {
			list = append(list, i.URL)
		}
	}
	if own, _ := r.own(where); len(list) > 0 || own == "" {
		return list
	}
	return r.free(where)
}

// mayServe reports whether an index may serve a project. PyPI may if the request names no
// index for it: a lock made without a mirror is valid with one, too.
func (r Request) mayServe(index, project string, where Indexes) bool {
	list := slices.Concat(r.serving(project, where), r.serving(project, Indexes{Default: DefaultIndex}), r.links())
	return slices.ContainsFunc(list, func(url string) bool { return strings.TrimRight(url, "/") == strings.TrimRight(index, "/") })
}

// hashes returns the hashes of the requirement files' lines for a file.
func (r Request) hashes(name, address string) (list []string) {
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Name == name || w.URL != "" && door.Key(w.URL) == door.Key(address) || w.Path != "" && "file:"+w.Path == address {
			list = append(list, w.Hashes...)
			if found := fragmentHash.FindStringSubmatch(w.Line); found != nil {
				list = append(list, found[1]+":"+found[2])
			}
		}
	}
	return list
}

// fragmentHash matches a hash in an address, as indexes and pip write it.
var fragmentHash = regexp.MustCompile(`[#&](md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([^&\s]*)`)

// free returns the indexes that serve unbound projects, by uv's settings or the project's.
func (r Request) free(where Indexes) []string {
	own, further := r.own(where)
	list := slices.Concat(further, []string{own}, r.Uses.URLs)
	return slices.DeleteFunc(list, func(url string) bool { return url == "" })
}

// links returns the addresses of pages that list files.
func (r Request) links() []string {
	return slices.DeleteFunc(slices.Concat(r.Files.FindLinks, r.Uses.Links), func(l string) bool { return !strings.Contains(l, "://") })
}

// pages returns the pages of indexes that list the files of a project.
func (r Request) pages(indexes []string, project string) []string {
	pages := make([]string, len(indexes))
	for i, index := range indexes {
		if pages[i] = index; !slices.Contains(r.links(), index) {
			pages[i] = strings.TrimRight(index, "/") + "/" + project + "/"
		}
	}
	return pages
}

// projects returns the projects that the requirement files name.
func (r Request) projects() []string {
	names := make([]string, 0, len(r.Files.Requirements))
	for _, w := range r.Files.Requirements {
		names = append(names, w.Name)
	}
	return names
}

// asksIndexes reports whether a door is certainly needed, even without the dependencies of
// trees.
func (r Request) asksIndexes() bool {
	return len(r.Files.Requirements) > 0 || r.Lock != "" || r.Project != "" || len(r.BuildRequires) > 0
}

// Named returns the addresses of the indexes and pages of links that a request itself names:
// in its spec, its requirement files or its pyproject.toml.
func (r Request) Named() []string {
	list := slices.Concat(r.Files.ExtraIndexURLs, r.links(), r.Uses.Named)
	for _, i := range r.Indexes {
		list = append(list, i.URL)
	}
	return append(list, r.Files.IndexURL)
}

// IndexNames returns the addresses of indexes by name, of the spec and of a pyproject.toml.
func (r Request) IndexNames() map[string]string {
	names := map[string]string{}
	maps.Copy(names, r.Uses.Names)
	for _, i := range r.Indexes {
		names[i.Name] = i.URL
	}
	return names
}
