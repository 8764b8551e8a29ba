package lamina

import (
	"maps"
	"os"
	"path/filepath"
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

// registries holds how registries are reached from this machine, and which of them a
// project uses.
type registries struct {
	hosts  registry.Hosts
	logins func() *registry.Logins

	mu    sync.Mutex
	moved []string // images and caches that an engine pushes or pulls on request
	read  []string // images that it reads by itself: published models
}

func newRegistries(env func(string) string, usual bool) *registries {
	home := env("HOME")
	if usual {
		home, _ = os.UserHomeDir() // without one, there are no files to read
	}
	if !filepath.IsAbs(home) { // it would be in a project
		home = ""
	}
	return &registries{
		hosts:  registry.HostDirs(registry.ConfigDir(env, home)),
		logins: sync.OnceValue(func() *registry.Logins { return registry.LoadLogins(env, home) }),
	}
}

// use records what an engine will push or pull, or read by itself.
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

// references returns the images and caches in registries that a build uses.
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

// published returns the references of a lock's published models.
func published(l lock.Lock) []string {
	list := make([]string, len(l.Models))
	for i, m := range l.Models {
		list[i] = m.Published
	}
	return list
}

// registry returns the options of our own client for registries.
func (h *host) registry(insecure bool) registry.Options {
	return registry.Options{Keychain: h.registries.logins(), Hosts: h.registries.hosts, Insecure: h.o.Insecure || insecure}
}

// reading returns the same options for requesting read access only.
func (h *host) reading(insecure bool) registry.Options {
	options := h.registry(insecure)
	options.ReadOnly = true
	return options
}

// insecurely returns the build with all its registries insecure. Entries that have their own
// setting keep it.
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

// insecure reports whether an output of a build goes to an insecure registry.
func (b Build) insecure() bool {
	return slices.ContainsFunc(b.Outputs, func(o output.Output) bool { return o.Insecure })
}

// logins provides logins to an engine that requests them.
func (h *host) logins(insecure bool) session.Attachable {
	return registry.Session(h.registry(insecure), slices.Concat(h.registries.used()))
}

// engineRegistries returns how our own engine reaches registries: those that the machine
// configures, and those in use. It only notes a configuration that can't be read, which
// may not be needed.
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
			h.note("not passed to the engine: %v", err)
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
	for _, m := range mirrors { // after the hosts' own configurations, which have more
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

// hostsOf returns the registries of references.
func hostsOf(references []string) []string {
	var hosts []string
	for _, text := range references {
		if named, err := reference.ParseNormalizedNamed(text); err == nil {
			hosts = append(hosts, reference.Domain(named))
		}
	}
	return hosts
}
