package lock

import (
	"cmp"
	"slices"
	"strings"
)

// The record of a resolve is what it read to decide, apart from what a build fetches: the
// lists of packages, the pages of indexes, the metadata of wheels, the lists of models.
// It leaves out what was tried and rejected: a lock that keeps a version keeps the page
// that the version was chosen from.

// Index is a list of the packages of a release.
type Index struct {
	Repository string `toml:"repository"` // of the [Release]
	Suite      string `toml:"suite"`
	Size       int64  `toml:"size"`   // bytes as fetched
	SHA256     string `toml:"sha256"` // likewise, hexadecimal
	Path       string `toml:"path"`   // below the repository: "dists/bookworm/main/binary-amd64/Packages.xz"
}

// Page is the page of a project in an index of Python packages.
type Page struct {
	Index   string `toml:"index"`   // its URL, without a login
	Project string `toml:"project"` // normalised; "" for an index that is one page
	Size    int64  `toml:"size"`    // bytes, uncompressed
	SHA256  string `toml:"sha256"`  // likewise, hexadecimal
}

// Material is a file that determined a lock.
type Material struct {
	URL    string // without a login
	Size   int64  // bytes; 0 if unknown
	SHA256 string // hexadecimal
}

// Materials returns everything that the resolve read to decide, apart from what a build
// fetches, in a fixed order. bases are the addresses of Debian's own repositories, by
// name: a lock only has the addresses of others.
func (l Lock) Materials(bases map[string]string) (list []Material) {
	base := func(repository string) string {
		i := slices.IndexFunc(l.Repositories, func(r Repository) bool { return r.Name == repository })
		if i < 0 {
			return strings.TrimRight(bases[repository], "/") + "/"
		}
		return strings.TrimRight(l.Repositories[i].URL, "/") + "/"
	}
	for _, r := range l.Releases {
		list = append(list, Material{URL: base(r.Repository) + r.Path(), SHA256: r.SHA256})
	}
	for _, i := range l.Indexes {
		list = append(list, Material{URL: base(i.Repository) + i.Path, Size: i.Size, SHA256: i.SHA256})
	}
	for _, p := range l.Pages {
		list = append(list, Material{URL: p.URL(), Size: p.Size, SHA256: p.SHA256})
	}
	for _, d := range l.Distributions {
		if _, local := d.Local(); d.Metadata != "" && !local {
			address, _ := d.Archive()
			list = append(list, Material{URL: address + ".metadata", SHA256: d.Metadata})
		}
	}
	for _, m := range l.Models {
		if _, sum, ok := strings.Cut(m.List, ":"); ok {
			list = append(list, Material{URL: m.From, SHA256: sum})
		}
	}
	return list
}

// Path returns the path of the InRelease below the repository.
func (r Release) Path() string {
	if dir, flat := strings.CutSuffix(r.Suite, "/"); flat {
		return strings.TrimPrefix(strings.TrimPrefix(dir, ".")+"/InRelease", "/")
	}
	return "dists/" + r.Suite + "/InRelease"
}

// URL returns the address of the page.
func (p Page) URL() string {
	if p.Project == "" {
		return p.Index
	}
	return strings.TrimRight(p.Index, "/") + "/" + p.Project + "/"
}

// Page returns the page of a project in an index, or the only page of a flat index.
func (l Lock) Page(index, project string) (Page, bool) {
	i := slices.IndexFunc(l.Pages, func(p Page) bool { return p.Index == index && (p.Project == project || p.Project == "") })
	if i < 0 {
		return Page{}, false
	}
	return l.Pages[i], true
}

// checkRecord requires that each record is about something in the lock.
func (l Lock) checkRecord() (f problems) {
	known := map[[2]string]bool{}
	for _, r := range l.Releases {
		known[[2]string{r.Repository, r.Suite}] = true
	}
	for _, i := range l.Indexes {
		f.when(!known[[2]string{i.Repository, i.Suite}], "index %s: there is no release %s %s", i.Path, i.Repository, i.Suite)
		f.when(!isSHA256(i.SHA256) || i.Size < 0 || !staysBelow(i.Path), "index %s: size %d, %q or its path is invalid", i.Path, i.Size, i.SHA256)
	}
	f.when(!slices.IsSortedFunc(l.Indexes, compareIndexes), "indexes are not sorted by repository, suite and path")
	named := map[[2]string]bool{}
	for _, d := range l.Distributions {
		named[[2]string{d.Index, d.Name}], named[[2]string{d.Index}] = true, true
	}
	for _, p := range l.Pages {
		f.when(!named[[2]string{p.Index, p.Project}], "page %q of %s: nothing is locked from it", p.Project, p.Index)
		f.when(!isSHA256(p.SHA256) || p.Size < 0, "page %q of %s: size %d or %q is invalid", p.Project, p.Index, p.Size, p.SHA256)
	}
	f.when(!slices.IsSortedFunc(l.Pages, comparePages), "pages are not sorted by index and project")
	return f
}

func compareIndexes(a, b Index) int {
	return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Suite, b.Suite), cmp.Compare(a.Path, b.Path))
}

func comparePages(a, b Page) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Project, b.Project), cmp.Compare(a.SHA256, b.SHA256))
}
