package cache

import (
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
)

// Namespace keeps the caches of different compilers apart: of two
// distributions, or of two platforms. BuildKit leaves a cache mount's id out of
// the cache key, so a mount that is shared too widely harms unseen.
type Namespace struct {
	Distribution string // "bookworm"
	Platform     string // "linux/amd64"
}

// Mount is a folder that the engine keeps between execs.
type Mount struct {
	ID      string
	Target  string
	Sharing bkllb.CacheMountSharingMode
}

// CCache is the compiler cache. ccache locks its own files, so builds may
// share it.
func CCache(n Namespace) Mount {
	return Mount{ID: n.id("ccache"), Target: "/var/cache/ccache", Sharing: bkllb.CacheMountShared}
}

// Pip is pip's HTTP cache, for resolving alone. pip replaces its files
// atomically, so builds may share it.
func Pip(n Namespace) Mount {
	return Mount{ID: n.id("pip"), Target: "/root/.cache/pip", Sharing: bkllb.CacheMountShared}
}

// Option returns the mount for an exec.
func (m Mount) Option() bkllb.RunOption {
	return bkllb.AddMount(m.Target, bkllb.Scratch(), bkllb.AsPersistentCacheDir(m.ID, m.Sharing))
}

func (n Namespace) id(purpose string) string {
	return strings.Join([]string{"lamina", n.Distribution, strings.ReplaceAll(n.Platform, "/", "-"), purpose}, "/")
}
