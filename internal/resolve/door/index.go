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
	Packages []string // the projects bound to it; if empty, it serves all that are not bound to others
	Flat     bool     // its address is one page that lists files, not a directory of projects
}

// bindings map projects to the indexes that serve them.
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
	projects map[string]bool // bound to it
	rest     bool            // it also serves all unbound projects
}

// page is a page of an index that lists files.
type page struct {
	index   string
	project string // "" for a flat one
}

// newBindings joins the indexes that share an address.
func newBindings(list []Index) bindings {
	b := bindings{bound: map[string]bool{}}
	for _, i := range list {
		u, err := url.Parse(i.URL)
		if err != nil {
			continue // newHosts rejects it
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

// cleaned returns the path of an address without dots, double or trailing slashes.
func cleaned(u *url.URL) string {
	return strings.TrimSuffix(path.Clean("/"+u.Path), "/")
}

// page returns the page at an address, by the index with the longest address above it.
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

// isFile reports whether a path is a file. An index may have some where its projects are,
// as PyTorch does. A page ends in a slash, or redirects to one that does.
func isFile(path string) bool {
	return IsArchive(path) || hasSuffix(path, ".metadata", ".egg", ".exe", ".asc")
}

// refusal returns why an index does not serve the requested project, or "" if it does.
func (b bindings) refusal(u *url.URL) string {
	p, ok := b.page(u)
	at, _ := b.under(u)
	switch {
	case !ok || at.flat || at.projects[p.project]:
		return ""
	case b.bound[p.project]:
		return "project " + p.project + " is bound to an index other than " + at.name
	case !at.rest:
		return "index " + at.name + " serves only projects bound to it, and " + p.project + " is not"
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

// hides reports whether a flat page, which lists files of all projects, must omit a file:
// one of a project that is bound to an index.
func (b bindings) hides(file string) bool {
	for project := range b.bound {
		if IsFileOf(file, project) {
			return true
		}
	}
	return false
}

// archives are the suffixes of distributions.
var archives = []string{".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"}

// IsArchive reports whether a file is a wheel or an sdist, by its name.
func IsArchive(name string) bool { return hasSuffix(name, archives...) }

func hasSuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// IsFileOf reports whether a wheel or sdist may be a project's, by its name. That of an
// sdist is ambiguous: a-3-1.0.tar.gz is of a or of a-3.
func IsFileOf(file, project string) bool {
	if strings.HasSuffix(file, ".whl") {
		name, _, _ := strings.Cut(file, "-")
		return lock.NormalName(name) == project
	}
	rest, ok := strings.CutPrefix(lock.NormalName(file), project+"-")
	return ok && strings.IndexAny(strings.TrimPrefix(rest, "v"), "0123456789") == 0
}

// ReadName returns the normalized project and the version in the name of a wheel or sdist.
// The project of an sdist may have hyphens, and ends before the first one followed by a
// digit; without one, the whole name is the project.
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
