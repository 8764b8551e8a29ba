package cache

import "strings"

// Mount is a folder that the engine keeps between execs. BuildKit leaves its ID
// out of the cache key, so that one which is shared too widely harms unseen.
type Mount struct {
	ID     string
	Target string // absolute: where an exec has it
	Shared bool   // execs may have it at the same time; one waits for the other where not
}

// CCache is the cache of a compiler, of which each distribution ("bookworm") and
// platform ("linux/amd64") has another. ccache locks its own files, so builds may
// share it.
func CCache(distribution, platform string) Mount {
	id := strings.Join([]string{"lamina", distribution, strings.ReplaceAll(platform, "/", "-"), "ccache"}, "/")
	return Mount{ID: id, Target: "/var/cache/ccache", Shared: true}
}

// UV is uv's cache of one project directory and one of its sets, for resolving
// alone: code of sdists that uv asks for their metadata can write into it, so
// nobody else reads it. id is a random one that the client keeps for the directory.
func UV(id, set string) Mount {
	return Mount{ID: strings.Join([]string{"lamina", "uv", id, set}, "-"), Target: "/var/cache/uv"}
}
