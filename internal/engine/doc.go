// Package engine finds or starts the buildkitd that a build runs on.
//
// [Open] tries, in this order: the address that the user gave, a standard
// socket of this machine whose buildkitd passes the preflight, and the private
// engine. The private engine is a buildkitd of the pinned version (engine.mod),
// either compiled once into the cache directory or shipped with a release next to
// the command. The program in supervisor/ runs it in its own namespaces. All builds
// of all processes share it: each holds a shared lock on one file, the lease, and the
// engine ends with the last one. The kernel drops the lock of a killed process, so
// there is nothing to clean up after one.
//
// Every error that means "no engine is available" is a [failure.NoEngine] with hints.
package engine
