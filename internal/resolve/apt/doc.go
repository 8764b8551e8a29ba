// Package apt turns what a spec wishes for into a lock.
//
// Debian packages are resolved by apt itself, which runs in the engine without
// a network:
//
//	fetch and verify the indexes                     (archive.go, package debian)
//	unpack apt and what it needs into a root folder  (tools.go)
//	show it the indexes as a local repository        (graph.go)
//	let it say what each set of packages takes       (question.go, answer.go)
//	check that against the indexes                   (check.go)
//
// Nothing here chooses a package that apt would choose; the checks only refuse.
package apt
