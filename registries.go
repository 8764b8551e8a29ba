package lamina

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/session"

	"lamina.build/cache"
	"lamina.build/internal/engine"
	"lamina.build/internal/registry"
	"lamina.build/lock"
	"lamina.build/output"
)

// registries are how registries are reached from this machine, and which of them a
// project has to do with.
type registries struct {
	hosts  registry.Hosts
	logins func() *registry.Logins

	mu    sync.Mutex
	moved []string // images and caches that an engine pushes or pulls as it is told
	read  []string // images that it reads by itself: published models
}

func newRegistries(env func(string) string, usual bool) *registries {
	home := env("HOME")
	if usual {
		home, _ = os.UserHomeDir() // where there is none, nothing lies in it
	}
	return &registries{
		hosts:  registry.HostDirs(registry.ConfigDir(env, home)),
		logins: sync.OnceValue(func() *registry.Logins { return registry.LoadLogins(env, home) }),
	}
}

// use remembers what an engine is about to move, or to read by itself.
func (r *registries) use(moved, read []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved, r.read = slices.Concat(r.moved, moved), slices.Concat(r.read, read)
}

func (r *registries) used() (moved, read []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved, r.read
}

// references are the images of registries that a build has to do with.
func (b Build) references() []string {
	var list []string
	for _, o := range b.Outputs {
		if o.Type == output.Image {
			list = append(list, o.Names...)
		}
	}
	for _, e := range slices.Concat(b.Cache.Imports, b.Cache.Exports) {
		list = append(list, e.Attrs["ref"])
	}
	return list
}

// published are where a lock says that models are.
func published(l lock.Lock) []string {
	list := make([]string, len(l.Models))
	for i, m := range l.Models {
		list[i] = m.Published
	}
	return list
}

// registry says how our own client reaches registries.
func (h *host) registry(insecure bool) registry.Options {
	return registry.Options{Keychain: h.registries.logins(), Hosts: h.registries.hosts, Insecure: h.o.Insecure || insecure}
}

// reading says how it does that where it asks for the right to read alone.
func (h *host) reading(insecure bool) registry.Options {
	options := h.registry(insecure)
	options.ReadOnly = true
	return options
}

// insecurely is the build as an engine is asked for it where no registry need be trusted. An
// entry that says itself how its registry is reached is left alone.
func (b Build) insecurely() Build {
	b.Outputs = slices.Clone(b.Outputs)
	for i := range b.Outputs {
		b.Outputs[i].Insecure = b.Outputs[i].Insecure || b.Outputs[i].Type == output.Image
	}
	b.Cache = cache.Remote{Imports: slices.Clone(b.Cache.Imports), Exports: slices.Clone(b.Cache.Exports)}
	for _, list := range [][]cache.Entry{b.Cache.Imports, b.Cache.Exports} {
		for i, e := range list {
			if e.Type == "registry" && e.Attrs["registry.insecure"] == "" {
				list[i].Attrs = maps.Clone(e.Attrs)
				list[i].Attrs["registry.insecure"] = "true"
			}
		}
	}
	return b
}

// insecure says whether the registries of a build need not be trusted.
func (b Build) insecure() bool {
	return slices.ContainsFunc(b.Outputs, func(o output.Output) bool { return o.Insecure })
}

// logins answers an engine that asks for logins.
func (h *host) logins(insecure bool) session.Attachable {
	return registry.Session(h.registry(insecure), slices.Concat(h.registries.used()))
}

// engineRegistries are how an engine of our own reaches registries: those that the
// machine says something about, and those that are used. What can't be read stops nobody
// who doesn't need it.
func (h *host) engineRegistries() []engine.Registry {
	told := map[string]engine.Registry{}
	tell := func(r engine.Registry) {
		if _, known := told[r.Host]; !known && (r.HTTP || r.Insecure || len(r.CAs)+len(r.KeyPairs)+len(r.Mirrors) > 0) {
			told[r.Host] = r
		}
	}
	moved, read := h.registries.used()
	moved, read = hostsOf(moved), hostsOf(read)
	var mirrors []registry.Host
	for _, name := range slices.Concat(h.registries.hosts.Names(), moved, read) {
		found, err := h.registries.hosts.Of(name)
		if err != nil {
			h.note("the engine isn't told: %v", err)
			continue
		}
		r := engineRegistry(found)
		if h.o.Insecure && slices.Contains(read, name) {
			r.HTTP, r.Insecure = true, true
		}
		for _, m := range found.Mirrors {
			r.Mirrors = append(r.Mirrors, m.Name)
		}
		mirrors = append(mirrors, found.Mirrors...)
		tell(r)
	}
	for _, m := range mirrors { // the directory of a host itself says more
		m.Name, _, _ = strings.Cut(m.Name, "/")
		tell(engineRegistry(m))
	}
	return slices.SortedFunc(maps.Values(told), func(a, b engine.Registry) int { return strings.Compare(a.Host, b.Host) })
}

func engineRegistry(h registry.Host) engine.Registry {
	r := engine.Registry{Host: h.Name, HTTP: h.Plain, Insecure: h.SkipVerify, CAs: h.CAs}
	for _, pair := range h.KeyPairs {
		r.KeyPairs = append(r.KeyPairs, engine.KeyPair(pair))
	}
	return r
}

// hostsOf are the registries of references.
func hostsOf(references []string) []string {
	var hosts []string
	for _, text := range references {
		if named, err := reference.ParseNormalizedNamed(text); err == nil {
			hosts = append(hosts, reference.Domain(named))
		}
	}
	return hosts
}
