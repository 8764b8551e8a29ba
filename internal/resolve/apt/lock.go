package apt

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// Options says what to resolve, and with what.
type Options struct {
	Client   *client.Client // the engine that apt runs in
	Wishes   lock.Wishes
	Keys     map[string][]byte // the key file of each further repository, by its name
	Mirrors  debian.Mirrors    // of Debian's own repositories; for a further one it stands before its URL
	CacheDir string            // where indexes and apt's own packages are kept
	HTTP     *fetch.Client     // one that honours the environment's proxies where nil
	Now      time.Time         // what signatures and expiry are judged by; the present where zero
	Progress func(string)      // told what is going on, from several goroutines; may be nil
}

// Lock resolves the wishes. All that is wrong with them is reported at once.
func Lock(ctx context.Context, o Options) (lock.Lock, error) {
	o = o.withDefaults()
	arch, err := debianArch(o.Wishes.Platform)
	if err != nil {
		return lock.Lock{}, err
	}
	getter := debian.NewGetter(o.CacheDir)
	if o.HTTP != nil {
		getter.HTTP = o.HTTP
	}
	a, err := openArchive(ctx, getter, o, arch)
	if err != nil {
		return lock.Lock{}, err
	}
	if err = a.checkRequests(o.Wishes); err != nil {
		return lock.Lock{}, err
	}
	found, err := a.ask(ctx, o)
	if err != nil {
		return lock.Lock{}, err
	}
	if err := checkSets(o.Wishes, found); err != nil {
		return lock.Lock{}, fmt.Errorf("checking what apt resolved: %w", err)
	}
	return a.lock(o.Wishes, found), nil
}

func (o Options) withDefaults() Options {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// debianArch returns Debian's word for a platform.
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

// sources lists the suites in the order of the spec, then the further
// repositories. Of equal versions apt takes the one of the earlier source.
func (o Options) sources() ([]debian.Source, error) {
	own, err := debian.ArchiveKeys()
	if err != nil {
		return nil, err
	}
	var sources []debian.Source
	for _, suite := range o.Wishes.Suites {
		sources = append(sources, debian.Source{
			Repository: debian.RepositoryOf(suite), Suite: suite, Components: o.Wishes.Components, Keys: own,
		})
	}
	for _, r := range o.Wishes.Repositories {
		keys, err := o.keysOf(r)
		if err != nil {
			return nil, failure.New(failure.Usage, fmt.Errorf("repository %q: %w", r.Name, err))
		}
		sources = append(sources, debian.Source{
			Repository: r.Name, Suite: r.Suite, Components: r.Components, Keys: keys,
		})
	}
	return sources, nil
}

func (o Options) keysOf(r lock.Repository) (debian.Keyring, error) {
	data, ok := o.Keys[r.Name]
	if !ok {
		return debian.Keyring{}, fmt.Errorf("no key file is given for it")
	}
	if got := digest.FromBytes(data); r.Key != "" && got != r.Key {
		return debian.Keyring{}, fmt.Errorf("its key file is %s and not %s", got, r.Key)
	}
	return debian.ParseKeys(r.Name, data)
}

// mirrors returns where every repository is to be had.
func (o Options) mirrors() debian.Mirrors {
	further := debian.Mirrors{}
	for _, r := range o.Wishes.Repositories {
		further[r.Name] = r.URL
	}
	return debian.Merge(o.Mirrors, further)
}
