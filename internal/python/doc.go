// Package python turns the Python wishes of a spec into the distributions of a
// lock.
//
// pip itself resolves them. It runs in the root file system of the builder,
// with a network, and nothing of what it makes is ever part of an image:
//
//	write down each set of wishes as a question      (question.go)
//	let pip and the scripts beside it answer it      (graph.go, scripts/)
//	refuse names that no answer has                  (names.go)
//	turn the answers into entries of the lock        (answer.go)
//	refuse what would fail later                     (known.go)
//
// Between pip and the indexes stands a small server in the same exec
// (scripts/router.py), since pip can't be told which index may serve which
// project. Of a wheel the directory at its end is read, for its unpacked size
// and for files that two wheels would both own, and its metadata, for whether
// it is what its name says. What each sdist is built with is resolved by pip,
// too. A fault names the lines that asked for what it is about
// (scripts/askers.py).
package python
