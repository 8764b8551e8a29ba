package apt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// archive is all that the sources offer for one architecture, verified.
type archive struct {
	getter   *debian.Getter
	mirrors  debian.Mirrors
	arch     string
	sources  []debian.Source
	releases []*debian.Release // one each source
	files    []debian.IndexFile
	index    *debian.Index
}

// openArchive fetches the indexes of all sources side by side. Every source
// that has something wrong with it is reported.
func openArchive(ctx context.Context, o Options, arch string) (*archive, error) {
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	o.Progress(fmt.Sprintf("fetching package indexes: %d", len(sources)))
	a := &archive{
		getter: o.Getter, mirrors: o.Mirrors, arch: arch, sources: sources,
		releases: make([]*debian.Release, len(sources)),
	}
	files := make([][]debian.IndexFile, len(sources))
	faults := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() { a.releases[i], files[i], faults[i] = a.open(ctx, o, s) })
	}
	all.Wait()
	if err = errors.Join(faults...); err != nil {
		return nil, err
	}
	a.files = slices.Concat(files...)
	a.index, err = debian.NewIndex(ctx, a.files)
	return a, err
}

func (a *archive) open(ctx context.Context, o Options, s debian.Source) (*debian.Release, []debian.IndexFile, error) {
	r, err := a.getter.Release(ctx, a.mirrors, s, time.Now(), o.Progress)
	if err != nil {
		return nil, nil, err
	}
	files, err := a.getter.Packages(ctx, a.mirrors, &r, s.Components, a.arch)
	return &r, files, err
}

const essential = "?essential"

// checkRequests refuses names that apt would fail on or choose for.
func (a *archive) checkRequests(w lock.Wishes) error {
	var faults []error
	for _, r := range w.Requests {
		for _, name := range r.Packages {
			if err := a.checkName(name, w); err != nil {
				faults = append(faults, failure.New(failure.Usage, fmt.Errorf("%s: package %q: %w", r.Set, name, err)))
			}
		}
	}
	return errors.Join(faults...)
}

func (a *archive) checkName(asked string, w lock.Wishes) error {
	if asked == essential {
		return nil
	}
	name, wanted, pinned := strings.Cut(asked, "=")
	candidates := a.index.Candidates(name)
	if len(candidates) > 0 {
		if !pinned || slices.ContainsFunc(candidates, func(p *debian.Package) bool { return p.Version == wanted }) {
			return nil
		}
		return failure.WithHint(fmt.Errorf("no index has this version"), "there is "+versions(candidates))
	}
	providers := a.index.Providers(name)
	if len(providers) == 0 {
		return a.unknown(name, w)
	}
	// Also where there is but one: of a lock it must be plain what it has for a name.
	return failure.WithHint(errors.New("it is virtual: others provide it"), "write the name of one: "+strings.Join(providers, ", "))
}

func (a *archive) unknown(name string, w lock.Wishes) error {
	err := fmt.Errorf("there is none of that name in %s (%s)",
		strings.Join(w.Suites, ", "), strings.Join(w.Components, ", "))
	if near := a.index.Near(name); len(near) > 0 {
		return failure.WithHint(err, "did you mean "+strings.Join(near, ", ")+"?")
	}
	return failure.WithHint(err, "is its component among [debian].components?")
}

func versions(packages []*debian.Package) string {
	list := make([]string, 0, len(packages))
	for _, p := range packages {
		list = append(list, p.Version)
	}
	return strings.Join(slices.Compact(list), ", ")
}

// lock gathers the packages of all sets, each once.
func (a *archive) lock(w lock.Wishes, found map[lock.Set][]*debian.Package) lock.Lock {
	l := lock.Lock{Wishes: w}
	for _, r := range a.releases {
		l.Releases = append(l.Releases, lock.Release{
			Repository: r.Repository, Suite: r.Suite, Date: r.Date, SHA256: r.SHA256, Signers: r.Signers,
		})
	}
	sets := map[*debian.Package][]lock.Set{}
	for set, packages := range found {
		for _, p := range packages {
			sets[p] = append(sets[p], set)
		}
	}
	for p, in := range sets {
		l.Packages = append(l.Packages, lock.Package{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture,
			Repository: p.Release.Repository, Path: p.Filename, Size: p.Size, SHA256: p.SHA256, For: in,
		})
	}
	l.Sort()
	return l
}
