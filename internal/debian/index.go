package debian

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"pault.ag/go/debian/version"

	"lamina.build/internal/failure"
)

// Index is what several Packages files offer together.
type Index struct {
	all       []*Package // sorted by name
	providers map[string][]string
	files     map[place][]*Package // several where an index has one path twice
}

// place is where a package lies.
type place struct{ repository, path string }

// NewIndex reads Packages files, several at a time.
func NewIndex(ctx context.Context, files []IndexFile) (*Index, error) {
	parts := make([][]*Package, len(files))
	group, ctx := errgroup.WithContext(ctx)
	for i, f := range files {
		group.Go(func() (err error) {
			if err = context.Cause(ctx); err != nil {
				return err
			}
			parts[i], err = f.read()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	x := &Index{all: slices.Concat(parts...), providers: map[string][]string{}, files: map[place][]*Package{}}
	// Stable: of equal versions the one of the earlier source comes first.
	slices.SortStableFunc(x.all, func(a, b *Package) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range x.all {
		at := place{p.Release.Repository, p.Filename}
		x.files[at] = append(x.files[at], p)
		for name := range Names(p.Provides, ",") {
			if !slices.Contains(x.providers[name], p.Name) {
				x.providers[name] = append(x.providers[name], p.Name)
			}
		}
	}
	return x, nil
}

func (f IndexFile) read() (found []*Package, err error) {
	file, err := os.Open(f.Local)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := unpack(file, path.Ext(f.Path))
	if err == nil {
		err = ReadPackages(plain, func(p Package) {
			p.Release = f.Release
			found = append(found, &p)
		})
	}
	if err != nil {
		return nil, failure.WithHint(fmt.Errorf("reading %s of repository %q: %w", f.Path, f.Release.Repository, err), brokenIndex)
	}
	return found, plain.Close()
}

// Names yields the names in a list of relations, as "a (>= 1), b:any" with a comma
// between, without versions and architectures.
func Names(list, between string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(list, between) {
			item = strings.TrimSpace(item)
			if end := strings.IndexAny(item, " (:"); end >= 0 {
				item = item[:end]
			}
			if item != "" && !yield(item) {
				return
			}
		}
	}
}

// All returns every package, sorted by name. It is not to be changed.
func (x *Index) All() []*Package { return x.all }

// Candidates returns the packages of that name, in the order of the sources.
func (x *Index) Candidates(name string) []*Package {
	i, found := slices.BinarySearchFunc(x.all, name, func(p *Package, name string) int { return cmp.Compare(p.Name, name) })
	if !found {
		return nil
	}
	end := i
	for end < len(x.all) && x.all[end].Name == name {
		end++
	}
	return x.all[i:end]
}

// Best returns the package of that name that apt would take: the newest one
// of those that need no asking for.
func (x *Index) Best(name string) (*Package, bool) {
	var best *Package
	for _, p := range x.Candidates(name) {
		if best == nil || newer(p, best) {
			best = p
		}
	}
	return best, best != nil
}

func newer(a, b *Package) bool {
	if a.Release != nil && b.Release != nil && a.Release.NotAutomatic != b.Release.NotAutomatic {
		return b.Release.NotAutomatic
	}
	va, aerr := version.Parse(a.Version)
	vb, berr := version.Parse(b.Version)
	return aerr == nil && (berr != nil || version.Compare(va, vb) > 0)
}

// Files returns the packages that lie at a path of a repository by what its indexes say:
// more than one where these say different things of it.
func (x *Index) Files(repository, filename string) []*Package {
	return x.files[place{repository, filename}]
}

// Providers returns the names of the packages that provide a virtual one, sorted.
func (x *Index) Providers(name string) []string { return x.providers[name] }

// Near returns a few names of packages that a misspelt one may have meant, the
// nearest first.
func (x *Index) Near(name string) []string {
	distance := map[string]int{}
	limit := 1 + len(name)/4
	previous := ""
	for _, p := range x.all {
		if p.Name == previous {
			continue
		}
		previous = p.Name
		d := failure.Distance(name, p.Name, limit)
		if isAffix(name, p.Name) {
			d = min(d, 1) // numpy for python3-numpy
		}
		if d <= limit {
			distance[p.Name] = d
		}
	}
	near := slices.SortedFunc(maps.Keys(distance), func(a, b string) int {
		return cmp.Or(cmp.Compare(distance[a], distance[b]), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return near[:min(len(near), 3)]
}

// isAffix tells whether what was asked for is a whole part of a name, as numpy
// of python3-numpy, or a name with the number of a library left off.
func isAffix(asked, name string) bool {
	if len(asked) < 3 {
		return false
	}
	return strings.HasSuffix(name, "-"+asked) || strings.HasPrefix(name, asked) && isVersionTail(name[len(asked):])
}

func isVersionTail(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.-") == ""
}

// rank prefers what people mean over its by-products.
func rank(name string) int {
	switch {
	case strings.HasPrefix(name, "python3-"):
		return 0
	case strings.HasSuffix(name, "-doc"), strings.HasSuffix(name, "-dbg"), strings.HasSuffix(name, "-dbgsym"):
		return 3
	case strings.HasSuffix(name, "-dev"):
		return 2
	}
	return 1
}
