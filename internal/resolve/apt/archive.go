package apt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// archive is the verified content of the sources for one architecture.
type archive struct {
	getter   *debian.Getter
	mirrors  debian.Mirrors
	arch     string
	sources  []debian.Source
	releases []*debian.Release // one each source
	files    []debian.IndexFile
	index    *debian.Index
	part     *debian.Part // of the index: what is relevant to the requirements
}

// openArchive fetches the indexes of all sources concurrently, and reports the problems
// of all of them.
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
	problems := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() { a.releases[i], files[i], problems[i] = a.open(ctx, o, s) })
	}
	all.Wait()
	if err = errors.Join(problems...); err != nil {
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

// checkRequests rejects names that apt would fail on.
func (a *archive) checkRequests(w lock.Requirements) error {
	var problems []error
	for _, r := range w.Requests {
		for _, name := range r.Packages {
			if err := a.checkName(name, w); err != nil {
				problems = append(problems, failure.New(failure.Usage, fmt.Errorf("%s: package %q: %w", r.Set, name, err)))
			}
		}
	}
	return errors.Join(problems...)
}

func (a *archive) checkName(asked string, w lock.Requirements) error {
	if asked == essential {
		return nil
	}
	name, how, wanted := cutName(asked)
	candidates := a.index.Candidates(name)
	if len(candidates) == 0 {
		switch providers := a.index.Providers(name); {
		case len(providers) == 1 && how == "":
			return a.checkName(providers[0], w)
		case len(providers) > 0:
			return failure.WithHint(errors.New("it is a virtual package"), "name a package that provides it: "+strings.Join(providers, ", "))
		}
		return a.unknown(name, w)
	}
	isWanted := func(p *debian.Package) bool {
		return how == "" || how == "=" && p.Version == wanted || how == "/" && slices.Contains(p.Release.Names, wanted)
	}
	var problems []error
	for _, p := range candidates {
		if !isWanted(p) {
			continue
		}
		err := p.Check()
		if err == nil {
			return nil
		}
		problems = append(problems, fmt.Errorf("repository %q: %w", p.Release.Repository, err))
	}
	switch {
	case len(problems) > 0:
		return errors.Join(problems...)
	case how == "/":
		return failure.WithHint(fmt.Errorf("no suite %q has it", wanted), "it is in "+strings.Join(suites(candidates), ", ")+"; [debian].suites lists the suites to search")
	}
	return failure.WithHint(fmt.Errorf("no index has this version"), "available: "+versions(candidates))
}

// provided returns the virtual names among the requests that have a single provider, which
// apt takes, too. A lock shows what they stand for.
func (a *archive) provided(requests []lock.Request) (list []lock.Provision) {
	for _, name := range asked(requests) {
		if providers := a.index.Providers(name); len(providers) == 1 && len(a.index.Candidates(name)) == 0 {
			list = append(list, lock.Provision{Name: name, By: providers[0]})
		}
	}
	slices.SortFunc(list, func(x, y lock.Provision) int { return strings.Compare(x.Name, y.Name) })
	return slices.Compact(list)
}

// resolved returns the requests with the packages that virtual names stand for.
func resolved(requests []lock.Request, provided []lock.Provision) []lock.Request {
	list := slices.Clone(requests)
	for i, r := range list {
		list[i].Packages = slices.Clone(r.Packages)
		for j, name := range r.Packages {
			if k := slices.IndexFunc(provided, func(p lock.Provision) bool { return p.Name == name }); k >= 0 {
				list[i].Packages[j] = provided[k].By
			}
		}
	}
	return list
}

// cutName splits a request as apt does: "cmake", "cmake=3.25.1-1" or
// "cmake/bookworm-backports".
func cutName(asked string) (name, how, wanted string) {
	if i := strings.IndexAny(asked, "=/"); i >= 0 {
		return asked[:i], asked[i : i+1], asked[i+1:]
	}
	return asked, "", ""
}

func suites(packages []*debian.Package) []string {
	names := make([]string, len(packages))
	for i, p := range packages {
		names[i] = p.Release.Suite
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *archive) unknown(name string, w lock.Requirements) error {
	places := make([]string, 0, len(w.Suites)+len(w.Repositories))
	if len(w.Suites) > 0 {
		places = append(places, fmt.Sprintf("%s (%s)", strings.Join(w.Suites, ", "), strings.Join(w.Components, ", ")))
	}
	for _, r := range w.Repositories {
		places = append(places, r.Name)
	}
	err := fmt.Errorf("no such package in %s", strings.Join(places, ", "))
	if suggestions := a.index.Suggestions(name); len(suggestions) > 0 {
		return failure.WithHint(err, "did you mean "+strings.Join(suggestions, ", ")+"?")
	}
	return failure.WithHint(err, "check its name, and that components under [debian] names its component, such as non-free")
}

// tellUnused reports the suites that apt uses only on request and that no package is from.
func (a *archive) tellUnused(tell func(string), found map[lock.Set][]*debian.Package) {
	used := map[*debian.Release]bool{}
	for _, packages := range found {
		for _, p := range packages {
			used[p.Release] = true
		}
	}
	for _, r := range a.releases {
		if r.NotAutomatic && !used[r] {
			tell(fmt.Sprintf("nothing is locked from %s: apt takes a package from there only if it is requested as \"NAME/%s\"", r.Suite, r.Suite))
		}
	}
}

func versions(packages []*debian.Package) string {
	list := make([]string, 0, len(packages))
	for _, p := range packages {
		list = append(list, p.Version)
	}
	return strings.Join(slices.Compact(list), ", ")
}

// lock gathers the packages of all sets, each once.
func (a *archive) lock(w lock.Requirements, found map[lock.Set][]*debian.Package) lock.Lock {
	l := lock.Lock{Requirements: w}
	for _, r := range a.releases {
		l.Releases = append(l.Releases, lock.Release{
			Repository: r.Repository, Suite: r.Suite, Origin: r.Origin, Date: r.Date, SHA256: r.SHA256, Signers: r.Signers,
		})
	}
	for _, f := range a.files {
		l.Indexes = append(l.Indexes, lock.Index{Repository: f.Release.Repository, Suite: f.Release.Suite, Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	sets := map[*debian.Package][]lock.Set{}
	for set, packages := range found {
		for _, p := range packages {
			sets[p] = append(sets[p], set)
		}
	}
	for p, in := range sets {
		entry := locked(p)
		entry.For = in
		l.Packages = append(l.Packages, entry)
	}
	l.Sort()
	return l
}

// locked returns the entry of p in a lock.
func locked(p *debian.Package) lock.Package {
	return lock.Package{
		Name: p.Name, Version: p.Version, Architecture: p.Architecture,
		Repository: p.Release.Repository, Path: p.Filename, Size: p.Size, SHA256: p.SHA256,
	}
}

// hash downloads the packages whose index has no SHA256, which a lock requires, and
// verifies them by the hash that their index has instead.
func (a *archive) hash(ctx context.Context, found map[lock.Set][]*debian.Package) error {
	var problems []error
	for _, p := range slices.Concat(slices.Collect(maps.Values(found))...) {
		if p.SHA256 != "" {
			continue
		}
		name, err := a.getter.Package(ctx, a.mirrors, p)
		if err == nil {
			p.SHA256, err = debian.SHA256(name)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
