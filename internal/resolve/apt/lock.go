// Package apt locks the Debian packages of a spec.
//
// apt itself resolves them. It runs in the engine, without a network:
//
//	fetch and verify the indexes                               (archive.go, package debian)
//	unpack apt and its dependencies into a root directory      (directories.go)
//	give it the part of the indexes relevant to the request    (directories.go, graph.go)
//	ask it for the packages of each set                        (ask.go)
//	check its answers against the indexes                      (check.go)
//
// Only apt chooses packages; the checks here can only reject them.
package apt

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// Options configure [Lock].
type Options struct {
	Client       *client.Client // the engine that apt runs in
	Requirements lock.Requirements
	Keys         map[string][]byte // the key file of each further repository, by its name
	Mirrors      debian.Mirrors    // of all repositories
	Getter       *debian.Getter    // caches indexes and apt's own packages
	AnyAge       bool              // accept expired indexes
	Progress     func(string)      // called from several goroutines
}

// Lock resolves the requirements, and reports all their problems at once.
func Lock(ctx context.Context, o Options) (lock.Lock, error) {
	arch, err := debianArch(o.Requirements.Platform)
	if err != nil {
		return lock.Lock{}, err
	}
	a, err := openArchive(ctx, o, arch)
	if err != nil {
		return lock.Lock{}, err
	}
	if err = a.checkRequests(o.Requirements); err != nil {
		return lock.Lock{}, err
	}
	wanted, provided := o.Requirements, a.provided(o.Requirements.Requests)
	o.Requirements.Requests = resolved(wanted.Requests, provided)
	found, err := a.ask(ctx, o)
	if err != nil {
		return lock.Lock{}, err
	}
	if err := checkSets(o.Requirements, arch, found); err != nil {
		return lock.Lock{}, fmt.Errorf("checking what apt resolved: %w", err)
	}
	if err := a.hash(ctx, found); err != nil {
		return lock.Lock{}, err
	}
	l := a.lock(wanted, found)
	l.Provided = provided
	a.tellUnused(o.Progress, found)
	return l, nil
}

// debianArch returns Debian's name for a platform.
func debianArch(platform string) (string, error) {
	switch platform {
	case "linux/amd64", "linux/arm64", "linux/riscv64", "linux/s390x":
		return platform[len("linux/"):], nil
	case "linux/386":
		return "i386", nil
	case "linux/arm/v7":
		return "armhf", nil
	case "linux/ppc64le":
		return "ppc64el", nil
	}
	return "", failure.New(failure.Usage, fmt.Errorf("platform %q: Debian has no packages for it", platform))
}

// sources returns the sources of the requirements with the keys that may sign them.
func (o Options) sources() ([]debian.Source, error) {
	own, err := debian.ArchiveKeys()
	if err != nil {
		return nil, err
	}
	sources := sourcesOf(o.Requirements)
	for i := range sources {
		sources[i].Keys, sources[i].AnyAge = own, o.AnyAge
	}
	for i, r := range o.Requirements.Repositories {
		if sources[len(o.Requirements.Suites)+i].Keys, err = o.keysOf(r); err != nil {
			return nil, failure.New(failure.Usage, fmt.Errorf("repository %q: %w", r.Name, err))
		}
	}
	return sources, nil
}

// sourcesOf lists the suites in the order of the spec, then the further repositories,
// without keys. Among equal versions, apt prefers the earlier source.
func sourcesOf(w lock.Requirements) (sources []debian.Source) {
	for _, suite := range w.Suites {
		sources = append(sources, debian.Source{Repository: debian.RepositoryOf(suite), Suite: suite, Components: w.Components})
	}
	for _, r := range w.Repositories {
		sources = append(sources, debian.Source{Repository: r.Name, Suite: r.Suite, Components: r.Components})
	}
	return sources
}

func (o Options) keysOf(r lock.Repository) (debian.Keyring, error) {
	data, ok := o.Keys[r.Name]
	if !ok {
		return debian.Keyring{}, fmt.Errorf("no key file is given for it")
	}
	if got := digest.FromBytes(data); r.Key != "" && got != r.Key {
		return debian.Keyring{}, fmt.Errorf("its key file is %s, not %s", got, r.Key)
	}
	return debian.ParseKeys(r.Name, data)
}
