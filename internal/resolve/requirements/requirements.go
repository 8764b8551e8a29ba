// Package requirements determines what a lock must answer for a spec. It reads, each once,
// the files that the spec names: keys of repositories, requirement files, pyproject.toml
// and the locks of other tools. It reports all problems of all files at once.
package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
	"lamina.build/spec"
)

// Requirements are the requirements of all variants of a spec.
type Requirements struct {
	Platforms []string           // of the images; a lock covers all
	Lock      lock.Requirements  // as a lock records them, of the first platform
	Keys      map[string][]byte  // of the further repositories, by name
	AnyAge    bool               // accept expired indexes
	Python    []uv.Request       // the sets of distributions, production's first
	Decided   map[string]Decided // by variant
}

// The Debian packages that Lamina itself needs, whatever the spec requires. None of them
// reaches an image unless the spec names it, too.

// essential is apt's pattern for the packages that every Debian has. One of them depends
// on "usrmerge | usr-is-merged": the base is assembled merged, and the second records that
// without the Perl that the first would install (45 MB).
const (
	essential = "?essential"
	merged    = "usr-is-merged"
)

// maxKey bounds the size of a repository's key.
const maxKey = 1 << 20

// bootstrapTools are unpacked by hand to assemble the base: the only program that runs in
// an empty root, and the library that spares dpkg its syncs.
func bootstrapTools() []string { return []string{"busybox-static", "libeatmydata1"} }

// builderTools read the libraries that the image's programs link to (binutils) and its
// distributions (python3-packaging), build wheels from source trees and sdists, install
// those of trees where uv isn't needed (python3-installer), and fetch git repositories
// where there are any.
func builderTools(p spec.Python, git bool) []string {
	tools := []string{"binutils", "python3"}
	if resolves(p) {
		tools = append(tools, "python3-build", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel")
	}
	if git {
		tools = append(tools, "git")
	}
	return tools
}

// Read returns the requirements of a spec whose files are below root and were checked
// ([spec.File.CheckFiles]). The environment has the logins that requirement files refer
// to; no requirement of a lock depends on them.
func Read(file *spec.File, root fs.FS, env func(string) string) (Requirements, error) {
	names := file.Variants()
	specs := make([]spec.Spec, len(names))
	for i, name := range names {
		var err error
		if specs[i], err = file.Variant(name); err != nil {
			return Requirements{}, err
		}
	}
	w := Requirements{Platforms: specs[0].Platforms, Keys: map[string][]byte{}, Decided: map[string]Decided{}}
	w.Lock = lock.Requirements{Platform: specs[0].Platforms[0], Suites: specs[0].Debian.Suites}
	w.Lock.ModelRequests, w.Lock.Places = models(specs)
	for _, s := range specs {
		w.AnyAge = w.AnyAge || s.Debian.IgnoreValidUntil
		for _, c := range s.Debian.Components {
			if !slices.Contains(w.Lock.Components, c) {
				w.Lock.Components = append(w.Lock.Components, c)
			}
		}
	}
	keysErr := w.readRepositories(specs, root)
	git, pythonErr := w.readPython(file, specs, root, env)
	w.Lock.Requests = requests(specs, git)
	return w, failure.New(failure.Usage, errors.Join(keysErr, pythonErr))
}

// requests returns the sets of Debian packages of all variants. A variant whose packages
// differ from those of production, the first, has its own set, such as "runtime@NAME".
// git has the variants that need a git repository.
func requests(specs []spec.Spec, git map[string]bool) []lock.Request {
	sets := map[lock.Set][]string{{Kind: lock.SetBase}: {essential, merged}, {Kind: lock.SetBootstrap}: bootstrapTools()}
	for i, s := range specs {
		for kind, packages := range map[lock.Kind][]string{
			lock.SetBuilder: sorted(slices.Concat(s.Builder.Packages, builderTools(s.Python, git[s.Variant]))),
			lock.SetRuntime: sorted(s.Debian.Packages),
		} {
			shared := lock.Set{Kind: kind}
			if i == 0 {
				sets[shared] = packages
			} else if !slices.Equal(packages, sets[shared]) {
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

func sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// models returns the remote models of all variants, even of those that don't include them:
// what these fetch at run time is locked, too. places are where they may be published.
func models(specs []spec.Spec) (list []lock.ModelRequest, places []lock.Place) {
	for _, s := range specs {
		for _, m := range s.Models {
			if _, local := m.Local(); local {
				continue
			}
			list = append(list, m.Request())
			if m.Published != "" {
				places = append(places, lock.Place{Model: m.Request(), Repository: m.Published})
			}
		}
	}
	slices.SortFunc(list, lock.ModelRequest.Compare)
	return slices.CompactFunc(list, func(a, b lock.ModelRequest) bool { return a.Compare(b) == 0 }), places
}

// readRepositories reads the keys of the repositories of all variants.
func (w *Requirements) readRepositories(specs []spec.Spec, root fs.FS) error {
	byName := map[string]spec.Repository{}
	for _, s := range specs {
		for _, r := range s.Debian.Repositories {
			byName[r.Name] = r
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		r := byName[name]
		key, err := beneath.ReadAtMost(root, r.Key, maxKey)
		if err == nil && len(key) == 0 {
			err = fmt.Errorf("%q is empty", r.Key)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("reading the key of repository %q: %w", name, err))
		}
		w.Keys[name] = key
		w.Lock.Repositories = append(w.Lock.Repositories, lock.Repository{
			Name: name, URL: r.URL, Suite: r.Suite, Components: r.Components, Key: digest.FromBytes(key),
		})
	}
	return errors.Join(problems...)
}
