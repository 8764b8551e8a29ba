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

// UV is uv's cache of one project directory and one of its sets, for resolving
// alone: code of sdists that uv asks for their metadata can write into it, so
// nobody else reads it. id is a random one that the client keeps for the directory.
func UV(id, set string) Mount {
	return Mount{ID: strings.Join([]string{"lamina", "uv", id, set}, "-"), Target: "/var/cache/uv", Sharing: bkllb.CacheMountLocked}
}

// Option returns the mount for an exec.
func (m Mount) Option() bkllb.RunOption {
	return bkllb.AddMount(m.Target, bkllb.Scratch(), bkllb.AsPersistentCacheDir(m.ID, m.Sharing))
}

func (n Namespace) id(purpose string) string {
	return strings.Join([]string{"lamina", n.Distribution, strings.ReplaceAll(n.Platform, "/", "-"), purpose}, "/")
}
