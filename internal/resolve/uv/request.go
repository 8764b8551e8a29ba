package uv

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// DefaultIndex is where a project comes from that no index is named for.
const DefaultIndex = "https://pypi.org/simple"

// Request is one set of requirements.
type Request struct {
	Set           lock.Set // of the lock: "python", "python@blackwell"
	Files         reqfile.Set
	Lock          string                // a pylock.toml below the project, in place of Files
	Project       string                // directory of a pyproject.toml below the project, with or without a uv.lock, in place of Files
	ProjectFiles  []string              // what uv reads of it, or of Lock
	Declared      []reqfile.Requirement // what the pyproject.toml of Project asks for
	Extras        []string              // of Lock or Project
	Groups        []string              // likewise
	Overrides     []string              // requirements
	Excludes      []string              // normalised projects
	IndexStrategy string                // uv's; "" for its default
	Indexes       []Index
	BuildRequires map[string][]string // by normalised project, or by the name of a source tree
	Sources       map[string]string   // directories of source trees, by their names
	Optional      []string            // normalised projects that may be left out
	Collisions    []string            // globs of paths that two wheels may both hold
	Prune         []string            // globs of paths that no wheel brings into the image
	Imports       []string            // modules that the image is expected to have
	Trees         bool                // some may lie elsewhere, in git trees or a PYTHONPATH
	Places        map[string]string   // where the spec has its words, by "KEY WORD" as names are compared

	uses projectIndexes
}

// Lines returns what the requirement files ask for as lines of a requirement file, except
// that a constraint stands behind -c by itself. They are sorted and each there
// once: requests that ask for the same have equal lines. What an archive next to the spec
// or a directory of links holds is not part of them.
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

// at is where the spec has a word, as errors begin.
func (r Request) at(key, word string) string {
	if at := r.Places[key+" "+normal(word)]; at != "" {
		return at + ": "
	}
	return ""
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

// exportArgs tell uv of indexes where it reads a project: nothing where that has a
// lock that was made from others, and of its own default no other.
func (r Request) exportArgs(where Indexes) []string {
	own, _ := r.own(where)
	switch {
	case r.uses.lock && (r.uses.own || !slices.Contains(r.uses.urls, own)):
		return nil
	case r.uses.own:
		return r.boundArgs()
	}
	return r.indexArgs(where)
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

// serving are the indexes that may serve a project.
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

// mayServe says whether an index is one of a project, or PyPI where the request names
// no index for it: a lock that was made without a mirror is one with it, too.
func (r Request) mayServe(index, project string, where Indexes) bool {
	list := slices.Concat(r.serving(project, where), r.serving(project, Indexes{Default: DefaultIndex}), r.links())
	return slices.ContainsFunc(list, func(url string) bool { return strings.TrimRight(url, "/") == strings.TrimRight(index, "/") })
}

// hashes are those that the lines of the requirement files have for a file.
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

// fragmentHash is a hash in an address, as indexes and pip write it.
var fragmentHash = regexp.MustCompile(`[#&](md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([^&\s]*)`)

// free are the indexes that serve what is bound to none, whether by uv's words or by a
// project's.
func (r Request) free(where Indexes) []string {
	own, further := r.own(where)
	list := slices.Concat(further, []string{own}, r.uses.urls)
	return slices.DeleteFunc(list, func(url string) bool { return url == "" })
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

// Named are the addresses of the indexes and pages of links that a request names
// itself: in its spec, its requirement files or its pyproject.toml.
func (r Request) Named(project fs.FS) []string {
	list := slices.Concat(r.Files.ExtraIndexURLs, r.links(), r.indexesOf(project).named)
	for _, i := range r.Indexes {
		list = append(list, i.URL)
	}
	return append(list, r.Files.IndexURL)
}

// IndexNames are the addresses of indexes by their names, of the spec and of a pyproject.toml.
func (r Request) IndexNames(project fs.FS) map[string]string {
	names := r.indexesOf(project).names
	for _, i := range r.Indexes {
		names[i.Name] = i.URL
	}
	return names
}

// projectIndexes are those that a project of uv names itself.
type projectIndexes struct {
	urls  []string
	names map[string]string // addresses by the names that a pyproject.toml gives them
	named []string          // those of them that a pyproject.toml has, and not the uv.lock alone
	own   bool              // they say where everything comes from that no index is bound to
	lock  bool              // there is a uv.lock
}

var registry = regexp.MustCompile(`registry = "(https?://[^"]+)"`)

// indexesOf reads which indexes a project names, and the workspace that it is of. What
// can't be read names none: uv will say why.
func (r Request) indexesOf(project fs.FS) (found projectIndexes) {
	found.names = map[string]string{}
	for _, name := range r.ProjectFiles {
		data, err := fs.ReadFile(project, name)
		if isAbove := path.Dir(name) == "." || strings.HasPrefix(r.Project+"/", path.Dir(name)+"/"); r.Project == "" || !isAbove || err != nil {
			continue
		}
		switch path.Base(name) {
		case "pyproject.toml":
			found.read(data)
		case "uv.lock":
			found.lock = true
			for _, m := range registry.FindAllStringSubmatch(string(data), -1) {
				found.urls = append(found.urls, m[1])
			}
		}
	}
	found.named = onTheWeb(found.named)
	found.urls = onTheWeb(slices.Concat(found.urls, found.named))
	return found
}

// read adds the indexes of a pyproject.toml.
func (found *projectIndexes) read(pyproject []byte) {
	var file struct {
		Tool struct {
			UV struct {
				IndexURL      string   `toml:"index-url"`
				ExtraIndexURL []string `toml:"extra-index-url"`
				Index         []struct {
					Name    string `toml:"name"`
					URL     string `toml:"url"`
					Default bool   `toml:"default"`
				} `toml:"index"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	_ = toml.Unmarshal(pyproject, &file)
	uv := file.Tool.UV
	found.own = found.own || uv.IndexURL != ""
	found.named = append(append(found.named, uv.ExtraIndexURL...), uv.IndexURL)
	for _, index := range uv.Index {
		found.own = found.own || index.Default
		found.named = append(found.named, index.URL)
		found.names[index.Name] = index.URL
	}
}

// onTheWeb are those of a list that are no directories, each once.
func onTheWeb(list []string) []string {
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(url string) bool { return !strings.HasPrefix(url, "http") })
}
