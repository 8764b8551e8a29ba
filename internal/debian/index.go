package debian

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"pault.ag/go/debian/version"

	"lamina.build/internal/failure"
)

// Index is the combined content of several Packages files.
type Index struct {
	files []*indexed
}

// indexed is a Packages file from which single packages are read.
type indexed struct {
	release *Release
	text    []byte
	table   table

	mu   sync.Mutex
	read map[int]*Package // by the offset of their paragraphs
}

// NewIndex opens Packages files, several at a time.
func NewIndex(ctx context.Context, files []IndexFile) (*Index, error) {
	x := &Index{files: make([]*indexed, len(files))}
	group, ctx := errgroup.WithContext(ctx)
	for i, f := range files {
		group.Go(func() (err error) {
			if err = context.Cause(ctx); err != nil {
				return err
			}
			x.files[i], err = f.open()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return x, nil
}

func (f IndexFile) open() (*indexed, error) {
	text, err := f.plain()
	if err != nil {
		return nil, err
	}
	t, err := f.getter.Derived("table"+tableFormat+"-"+filepath.Base(f.Local), func() ([]byte, error) {
		made, bad := newTable(text)
		return made, f.broken(bad)
	})
	if err != nil {
		return nil, err
	}
	return &indexed{release: f.Release, text: text, table: t, read: map[int]*Package{}}, nil
}

// broken marks an error as caused by the index itself.
func (f IndexFile) broken(err error) error {
	if err == nil {
		return nil
	}
	return failure.WithHint(fmt.Errorf("reading %s of repository %q: %w", f.Path, f.Release.Repository, err), brokenIndex)
}

// at returns the package whose paragraph begins there, always the same pointer; nil if the
// table is wrong.
func (f *indexed) at(begin int) *Package {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.read[begin]; p != nil || begin >= len(f.text) || !isBlank(lastLine(f.text[:begin])) {
		return p
	}
	var text paragraph
	text.take(f.text[begin:])
	p, err := text.pack()
	if err != nil {
		return nil
	}
	p.Release = f.release
	f.read[begin] = &p
	return &p
}

// lastLine returns the last line of a text that ends with a newline.
func lastLine(text []byte) []byte {
	text = bytes.TrimSuffix(text, []byte("\n"))
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// all returns the packages that begin at places and match is.
func (f *indexed) all(places []int, is func(*Package) bool) (found []*Package) {
	for _, begin := range places {
		if p := f.at(begin); p != nil && is(p) {
			found = append(found, p)
		}
	}
	return found
}

// Names yields the names in a list of relations, such as "a (>= 1), b:any" with commas between,
// without versions and architectures.
func Names(list, between string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(list, between) {
			if name := nameOf(item); name != "" && !yield(name) {
				return
			}
		}
	}
}

// nameOf returns the name in a relation.
func nameOf(item string) string {
	item = strings.TrimSpace(item)
	if end := strings.IndexAny(item, " \t(:"); end >= 0 {
		item = item[:end]
	}
	return item
}

// Essential returns the essential packages, in the order of the sources.
func (x *Index) Essential() []*Package {
	return x.own(essentialName, func(p *Package) bool { return p.Essential })
}

// Candidates returns the packages of that name, in the order of the sources.
func (x *Index) Candidates(name string) []*Package {
	return x.own(name, func(p *Package) bool { return p.Name == name })
}

func (x *Index) own(name string, is func(*Package) bool) (found []*Package) {
	for _, f := range x.files {
		found = append(found, f.all(f.table.find(name).own, is)...)
	}
	return found
}

// Best returns the package of that name that apt would choose: the newest one, preferably of
// the suites that need no explicit request.
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

// Providers returns the names of the packages that provide a virtual one, sorted.
func (x *Index) Providers(name string) (found []string) {
	for _, f := range x.files {
		for _, p := range f.all(f.table.find(name).provided, func(*Package) bool { return true }) {
			found = append(found, p.Name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Suggestions returns a few package names that a misspelt one may stand for, closest first.
func (x *Index) Suggestions(name string) []string {
	distance := map[string]int{}
	limit := 1 + len(name)/4
	for _, f := range x.files {
		for other := range f.table.own {
			d := failure.Distance(name, other, limit)
			if isAffix(name, other) {
				d = min(d, 1) // numpy for python3-numpy
			}
			if d <= limit {
				distance[other] = d
			}
		}
	}
	suggestions := slices.SortedFunc(maps.Keys(distance), func(a, b string) int {
		return cmp.Or(cmp.Compare(distance[a], distance[b]), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return suggestions[:min(len(suggestions), 3)]
}

// isAffix reports whether a request is a whole part of a name, as numpy of python3-numpy, or
// a library's name without its number.
func isAffix(asked, name string) bool {
	if len(asked) < 3 {
		return false
	}
	return strings.HasSuffix(name, "-"+asked) || strings.HasPrefix(name, asked) && isVersionTail(name[len(asked):])
}

func isVersionTail(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.-") == ""
}

// rank prefers the packages that people usually mean over their by-products.
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
