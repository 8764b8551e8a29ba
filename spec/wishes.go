package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// The Debian packages that Lamina needs itself, whatever the spec asks for.
// None of them reaches an image unless the spec names it, too.

// essential is apt's pattern for the packages that every Debian has. One of
// them needs "usrmerge | usr-is-merged": the base is assembled merged, and the
// second says so without the Perl that the first would bring (45 MB).
const (
	essential = "?essential"
	merged    = "usr-is-merged"
)

// maxKey bounds the size of a repository's key.
const maxKey = 1 << 20

// bootstrapTools are unpacked by hand to assemble the base: the one program
// that runs before there is anything, and what spares dpkg its syncs.
func bootstrapTools() []string { return []string{"busybox-static", "libeatmydata1"} }

// builderTools read what the image's programs are linked to (binutils) and what
// its distributions are (python3-packaging), build wheels of source trees and
// sdists, install those of trees where uv isn't needed (python3-installer), and
// fetch git repositories where there are any.
func builderTools(p Python, git bool) []string {
	tools := []string{"binutils", "python3"}
	if p.resolves() {
		tools = append(tools, "ccache", "python3-build", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel")
	}
	if git {
		tools = append(tools, "git")
	}
	return tools
}

// Wishes returns what a lock for all variants of f has to answer: the union
// of their components and repositories, and their packages by set. A variant
// whose packages differ from production's has a set of its own, as
// "runtime@NAME". The keys of repositories and the requirement files are read
// from root. Logins that those refer to are not asked for: no lock holds any.
func (f *File) Wishes(root fs.FS) (lock.Wishes, error) {
	specs := make([]Spec, len(f.names))
	for i, name := range f.names {
		specs[i] = f.decode(name).spec
	}
	production := specs[0]
	python, pythonErr := f.PythonRequests(root, nil)
	wishes := lock.Wishes{
		Platform: production.Platform,
		Suites:   production.Debian.Suites,
		Requests: requests(specs, gitUsers(python)),
	}
	for _, s := range specs {
		for _, c := range s.Debian.Components {
			if !slices.Contains(wishes.Components, c) {
				wishes.Components = append(wishes.Components, c)
			}
		}
	}
	var repositoryErr error
	wishes.Repositories, repositoryErr = repositories(specs, root)
	wishes.Python = pythonWishes(python)
	wishes.Weights = modelWishes(specs)
	return wishes, errors.Join(repositoryErr, pythonErr)
}

// gitUsers says of which sets something comes from a git repository.
func gitUsers(requests []PythonRequest) map[lock.Set]bool {
	users := map[lock.Set]bool{}
	for _, r := range requests {
		users[r.Set] = r.Git
	}
	return users
}

// requests returns the sets of packages of all variants; specs starts with
// production's, which the sets without a variant's name are.
func requests(specs []Spec, git map[lock.Set]bool) []lock.Request {
	sets := map[lock.Set][]string{
		{Kind: lock.SetBase}:      {essential, merged},
		{Kind: lock.SetBootstrap}: bootstrapTools(),
		{Kind: lock.SetBuilder}:   builderPackages(specs[0], git),
		{Kind: lock.SetRuntime}:   sorted(specs[0].Debian.Packages),
	}
	for _, s := range specs {
		own := map[lock.Kind][]string{lock.SetBuilder: builderPackages(s, git), lock.SetRuntime: sorted(s.Debian.Packages)}
		for kind, packages := range own {
			if !slices.Equal(packages, sets[lock.Set{Kind: kind}]) {
				sets[lock.Set{Kind: kind, Variant: s.Variant}] = packages
			}
		}
		if len(s.Extra) > 0 {
			sets[lock.Set{Kind: lock.SetExtra, Variant: s.Variant}] = sorted(s.Extra)
		}
	}
	list := make([]lock.Request, 0, len(sets))
	for _, set := range slices.SortedFunc(maps.Keys(sets), lock.Set.Compare) {
		list = append(list, lock.Request{Set: set, Packages: sets[set]})
	}
	return list
}

func builderPackages(s Spec, git map[lock.Set]bool) []string {
	own, ok := git[lock.Set{Kind: lock.SetPython, Variant: s.Variant}]
	if !ok {
		own = git[lock.Set{Kind: lock.SetPython}]
	}
	return sorted(slices.Concat(s.Builder.Packages, builderTools(s.Python, own)))
}

func sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// repositories returns those of all variants with the digests of their keys.
func repositories(specs []Spec, root fs.FS) ([]lock.Repository, error) {
	byName := map[string]Repository{}
	for _, s := range specs {
		for _, r := range s.Debian.Repositories {
			byName[r.Name] = r
		}
	}
	list := slices.Grow([]lock.Repository(nil), len(byName)) // none stays nil
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		r := byName[name]
		key, err := keyDigest(root, r.Key)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the key of repository %q: %w", name, err))
		}
		list = append(list, lock.Repository{
			Name: name, URL: r.URL, Suite: r.Suite, Components: r.Components, Key: key,
		})
	}
	return list, failure.New(failure.Usage, errors.Join(errs...))
}

func keyDigest(root fs.FS, name string) (digest.Digest, error) {
	key := reference{path: name, need: file}
	in, err := root.Open(name)
	if err != nil {
		return "", key.explain(err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxKey+1))
	switch {
	case err != nil:
		return "", key.explain(err)
	case len(data) == 0:
		return "", fmt.Errorf("%q is empty", name)
	case len(data) > maxKey:
		return "", fmt.Errorf("%q has more than %d bytes", name, maxKey)
	}
	return digest.FromBytes(data), nil
}
