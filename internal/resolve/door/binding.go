package door

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Index is a server of Python packages.
type Index struct {
	Name     string
	URL      string   // a login in it is left out
	Packages []string // the projects that are bound to it; where it has none it serves all that no other index has
	Flat     bool     // its address is one page that lists files, and no folder of projects
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

var separators = regexp.MustCompile(`[-_.]+`)

// normalized is the one spelling of a project's name (PEP 503).
func normalized(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
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
			at.projects[normalized(name)] = true
			b.bound[normalized(name)] = true
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
	return page{index: at.name, project: normalized(name)}, true
}

// isFile tells files that lie where an index has its projects, as those of
// PyTorch do. A page has a slash at its end, or redirects to where it has one.
func isFile(path string) bool {
	return slices.ContainsFunc([]string{".whl", ".metadata", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".egg", ".exe", ".asc"}, func(suffix string) bool {
		return strings.HasSuffix(path, suffix)
	})
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
