package door

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"lamina.build/lock"
)

// Index is a server of Python packages.
type Index struct {
	Name     string
	URL      string   // a login in it is left out
	Packages []string // the projects that are bound to it; where it has none it serves all that no other index has
	Flat     bool     // its address is one page that lists files, and no directory of projects
}

// bindings say which index serves which project.
type bindings struct {
	indexes []*bound // those with the longest paths first
	bound   map[string]bool
}

type bound struct {
	name     string
	place    string // host and port
	scheme   string
	path     string // without a slash at the end
	flat     bool
	projects map[string]bool // those that are bound to it
	rest     bool            // it serves all that no other has, too
}

// page is a page of an index that lists files.
type page struct {
	index   string
	project string // empty for a flat one
}

// newBindings joins the indexes that share an address.
func newBindings(list []Index) bindings {
	b := bindings{bound: map[string]bool{}}
	for _, i := range list {
		u, err := url.Parse(i.URL)
		if err != nil {
			continue // newHosts refuses it
		}
		at := &bound{name: i.Name, place: place(u), scheme: u.Scheme, path: cleaned(u), flat: i.Flat}
		same := slices.IndexFunc(b.indexes, func(o *bound) bool {
			return o.place == at.place && o.scheme == at.scheme && o.path == at.path && o.flat == at.flat
		})
		if same >= 0 {
			at = b.indexes[same]
		} else {
			b.indexes = append(b.indexes, at)
		}
		at.rest = at.rest || len(i.Packages) == 0
		for _, name := range i.Packages {
			if at.projects == nil {
				at.projects = map[string]bool{}
			}
			at.projects[lock.NormalName(name)] = true
			b.bound[lock.NormalName(name)] = true
		}
	}
	slices.SortStableFunc(b.indexes, func(x, y *bound) int { return len(y.path) - len(x.path) })
	return b
}

// cleaned is the path of an address without dots, doubled slashes and one at its end.
func cleaned(u *url.URL) string {
	return strings.TrimSuffix(path.Clean("/"+u.Path), "/")
}

// page tells whether an address is that of a page, by the index with the longest
// address that it is under.
func (b bindings) page(u *url.URL) (page, bool) {
	at, name := b.under(u)
	switch {
	case at == nil:
		return page{}, false
	case at.flat:
		return page{index: at.name}, name == ""
	case name == "" || strings.Contains(name, "/") || isFile(u.Path):
		return page{}, false
	}
	return page{index: at.name, project: lock.NormalName(name)}, true
}

// isFile tells files that lie where an index has its projects, as those of
// PyTorch do. A page has a slash at its end, or redirects to where it has one.
func isFile(path string) bool {
	return IsArchive(path) || hasSuffix(path, ".metadata", ".egg", ".exe", ".asc")
}

// refusal says why the index that is asked for a project does not serve it. It
// is empty for one that does.
func (b bindings) refusal(u *url.URL) string {
	p, ok := b.page(u)
	at, _ := b.under(u)
	switch {
	case !ok || at.flat || at.projects[p.project]:
		return ""
	case b.bound[p.project]:
		return "project " + p.project + " is bound to another index than " + at.name
	case !at.rest:
		return "index " + at.name + " is for the projects that are bound to it, and " + p.project + " is not"
	}
	return ""
}

// under returns the index that an address is under, and the rest of its path.
func (b bindings) under(u *url.URL) (at *bound, rest string) {
	where, clean := place(u), cleaned(u)
	for _, i := range b.indexes {
		if i.place != where || i.scheme != u.Scheme {
			continue
		}
		if clean == i.path {
			return i, ""
		}
		if rest, ok := strings.CutPrefix(clean, i.path+"/"); ok && !i.flat {
			return i, rest
		}
	}
	return nil, ""
}

// A flat page lists files of all projects, so that a project that is bound to
// another index can only be kept from it by leaving its files out of the page.

// hides tells whether something may have to be left out of the pages of a flat
// index.
func (b bindings) hides() bool { return len(b.bound) > 0 }

// serves tells whether a flat index serves the project of a file.
func (b bindings) serves(index, fileName string) bool {
	project, _ := ReadName(fileName)
	for _, i := range b.indexes {
		if i.flat && i.name == index && i.projects != nil {
			return i.projects[project]
		}
	}
	return !b.bound[project]
}

// archives are the endings of the names of files of distributions.
var archives = []string{".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"}

// IsArchive tells the name of a wheel or an sdist.
func IsArchive(name string) bool { return hasSuffix(name, archives...) }

func hasSuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// ReadName returns the project, normalised, and the version that the name of a wheel or
// an sdist has. The project of an sdist may have hyphens, and ends before the first one
// that a digit follows; without such a one all of the name is the project.
func ReadName(name string) (project, version string) {
	if strings.HasSuffix(name, ".whl") {
		project, rest, _ := strings.Cut(name, "-")
		version, _, _ = strings.Cut(rest, "-")
		return lock.NormalName(project), version
	}
	for i := 1; i+1 < len(name); i++ {
		if next := name[i+1]; name[i] == '-' && '0' <= next && next <= '9' {
			version = name[i+1:]
			for _, suffix := range archives {
				version = strings.TrimSuffix(version, suffix)
			}
			return lock.NormalName(name[:i]), version
		}
	}
	return lock.NormalName(name), ""
}
