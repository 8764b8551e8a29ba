// Package lock represents image.lock: everything that a build fetches, pinned by
// digest, with the requirements that it fulfils.
//
// A lock is a value. [Parse] and [Lock.Format] are inverse to each other, so an
// untouched lock is rewritten to the same bytes; [Lock.Drift] returns where a lock no
// longer fits a spec.
//
// The fields of an entry are in the order of its line, under the names in their tags.
package lock

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Version is the lock format that this package writes, and the only one that a build
// accepts. The formats added:
//
//	1  Debian packages, Python distributions, models
//	2  uv, the index and the top-level names of each Python distribution
//	3  the layers of each model
//	4  what the resolve read (record.go), licenses, publishers of suites, what provides virtual names
const Version = 4

// Lock is the content of an image.lock.
type Lock struct {
	Requirements
	Releases      []Release      // sorted by Repository, Suite
	Indexes       []Index        // of the releases, sorted by Repository, Suite, Path
	Packages      []Package      // sorted by Name, Version, Architecture
	Provided      []Provision    // sorted by Name
	Distributions []Distribution // sorted by Name, Version, File
	UV            UV             // zero without Python distributions
	Pages         []Page         // of the indexes of the distributions, sorted by Index, Project
	Omitted       []Omission     // sorted by Set, Requirement
	Models        []Model        // sorted by request
	Further       []Part         // for further platforms, in the order of the spec
}

// Part is what a lock has for one platform only. Its fields are those of [Lock].
type Part struct {
	Platform      string         `toml:"platform"`
	Releases      []Release      `toml:"releases"`
	Indexes       []Index        `toml:"indexes"`
	Packages      []Package      `toml:"packages"`
	Provided      []Provision    `toml:"provided"`
	UV            UV             `toml:"uv"`
	Omitted       []Omission     `toml:"omitted"`
	Pages         []Page         `toml:"pages"`
	Distributions []Distribution `toml:"distributions"`
}

// Requirements is the part of a spec that a lock fulfils.
type Requirements struct {
	Platform      string          // "linux/amd64"
	Suites        []string        // in the order of the spec: "bookworm", "bookworm-security"
	Components    []string        // in the order of the spec: "main", "non-free"
	Repositories  []Repository    // further ones, sorted by Name
	Requests      []Request       // sorted by Set
	Python        []PythonRequest // production's first
	ModelRequests []ModelRequest  // sorted by ModelRequest.Compare
	Places        []Place         // of the spec only: a lock can't authorise its own repositories
}

// Repository is a signed Debian repository next to the distribution's own.
type Repository struct {
	Name       string        `toml:"name"`       // from the spec or derived from URL; never "debian" nor "debian-security"
	URL        string        `toml:"url"`        // base that pool paths are relative to
	Suite      string        `toml:"suite"`      // "stable", or a flat path that ends in "/"
	Components []string      `toml:"components"` // empty for a flat path
	Key        digest.Digest `toml:"key"`
}

// Request requests packages, with all their dependencies, as one set.
type Request struct {
	Set      Set      `toml:"set"`
	Packages []string `toml:"packages"` // sorted
}

// Release is a signed index that the packages were taken from.
type Release struct {
	Repository string    `toml:"repository"` // "debian", "debian-security", or a Repository's name
	Suite      string    `toml:"suite"`
	Origin     string    `toml:"origin"`  // the publisher, as it names itself: "Debian", "Ubuntu"
	Date       time.Time `toml:"date"`    // of the InRelease, UTC
	SHA256     string    `toml:"sha256"`  // of the InRelease as served, hexadecimal
	Signers    []string  `toml:"signers"` // fingerprints of the keys that signed it, upper case, sorted
}

// Package is one .deb.
type Package struct {
	Name         string `toml:"name"`
	Version      string `toml:"version"`    // Debian's, with epoch
	Architecture string `toml:"arch"`       // "amd64", "all"
	Repository   string `toml:"repository"` // "debian", "debian-security", or a Repository's name
	Size         int64  `toml:"size"`       // bytes
	SHA256       string `toml:"sha256"`     // hexadecimal
	Path         string `toml:"path"`       // below the repository's base: "pool/main/a/adduser/adduser_3.134_all.deb"
	For          []Set  `toml:"for"`        // sorted
}

// Provision is the package that a virtual name of the requests stands for: its only provider.
type Provision struct {
	Name string `toml:"name"` // "libasound2"
	By   string `toml:"by"`   // "libasound2t64"
}

// FileName returns Debian's name for the archive of p: a repository may use any other.
func (p Package) FileName() string {
	return fmt.Sprintf("%s_%s_%s.deb", p.Name, p.Version[strings.Index(p.Version, ":")+1:], p.Architecture)
}

// Sort sorts the entries of l in the order that [Lock.Format] and [Parse] expect.
func (l *Lock) Sort() {
	sortBy(l.Packages, comparePackages)
	sortBy(l.Provided, compareProvisions)
	sortBy(l.Releases, compareReleases)
	sortBy(l.Indexes, compareIndexes)
	sortBy(l.Pages, comparePages)
	sortBy(l.Distributions, compareDistributions)
	sortBy(l.Omitted, compareOmissions)
	sortBy(l.Models, compareModels)
	for i := range l.Packages {
		slices.SortFunc(l.Packages[i].For, Set.Compare)
	}
	for i := range l.Distributions {
		slices.SortFunc(l.Distributions[i].For, Set.Compare)
	}
	for i := range l.Further {
		one := l.with(l.Further[i])
		one.Sort()
	}
	for i := range l.Models {
		sortBy(l.Models[i].Files, compareModelFiles)
	}
}

// sortBy sorts large structs. slices.SortFunc would be instantiated for each of them,
// which adds 20 kB to the program each time.
func sortBy[T any](list []T, compare func(a, b T) int) {
	sort.Slice(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}

func comparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Architecture, b.Architecture))
}

func compareProvisions(a, b Provision) int { return cmp.Compare(a.Name, b.Name) }

func compareReleases(a, b Release) int {
	return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Suite, b.Suite))
}

func compareDistributions(a, b Distribution) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.File, b.File), cmp.Compare(a.URL, b.URL))
}

func compareOmissions(a, b Omission) int {
	return cmp.Or(a.Set.Compare(b.Set), cmp.Compare(a.Requirement, b.Requirement))
}

func compareModels(a, b Model) int { return a.Compare(b.ModelRequest) }

func compareModelFiles(a, b ModelFile) int { return cmp.Compare(a.Path, b.Path) }
