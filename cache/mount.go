package cache

import "strings"

// Mount is a directory that the engine keeps between execs. One exec has it at a time.
//
// Execs run foreign code, which can write to their mounts. So one rule holds for every
// graph, and tests check it: no Mount is shared by the code of two projects. Builds have
// none at all. A compiler cache is not worth it: a shared one passes what one project's
// sdist wrote to all other builds, and one that isn't shared never hits, since the engine
// keeps what was compiled from the same inputs. BuildKit leaves the ID out of the cache
// key, so a Mount that is shared too widely does harm unnoticed.
type Mount struct {
	ID     string
	Target string // absolute path in the exec
}

// UV returns uv's cache for one project directory and one of its sets, only for
// resolving: sdists whose metadata uv builds can write to it, so nothing else reads it.
// id is random, and the client keeps it for the directory.
func UV(id, set string) Mount {
	return Mount{ID: strings.Join([]string{"lamina", "uv", id, set}, "-"), Target: "/var/cache/uv"}
}
