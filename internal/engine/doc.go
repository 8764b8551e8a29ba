// Package engine finds or starts the buildkitd that a build runs on.
//
// [Open] tries, in this order: the address that the user gave, a standard
// socket of this machine whose buildkitd passes the preflight, and the private
// engine. The private engine is a buildkitd of the pinned version (engine.mod),
// compiled once into the cache directory, or of a release next to the command, and
// run by the program in supervisor/, in namespaces of its own. All builds of all processes share it: each holds a
// shared lock on one file, the lease, and the engine ends with the last one.
// The kernel drops the lock of a process that is killed, so nothing has to be
// cleaned up after one.
//
// Every error that means "there is nothing to build on" is a [failure.NoEngine]
// and carries hints.
package engine
