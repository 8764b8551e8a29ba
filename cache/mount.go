package cache

import "strings"

// Mount is a directory that the engine keeps between execs. One exec has it at a time.
//
// Code that we did not write runs in execs, and can write into what it is shown. So
// there is one rule, which holds for every graph and which tests hold each to: no Mount
// is seen by the code of two projects. Nothing of a build has one at all. A compiler
// cache is not worth it: one that is shared hands what one project's sdist has put
// there to the builds of all others, and one that isn't never hits, since the engine
// keeps what was compiled of the same inputs. BuildKit leaves the ID out of the cache
// key, so that a Mount which is shared too widely harms unseen.
type Mount struct {
	ID     string
	Target string // absolute: where an exec has it
}

// UV is uv's cache of one project directory and one of its sets, for resolving
// alone: code of sdists that uv asks for their metadata can write into it, so
// nobody else reads it. id is a random one that the client keeps for the directory.
func UV(id, set string) Mount {
	return Mount{ID: strings.Join([]string{"lamina", "uv", id, set}, "-"), Target: "/var/cache/uv"}
}
