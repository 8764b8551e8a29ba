// Package uv turns the Python wishes of a spec into the distributions of a
// lock.
//
// uv resolves them. It runs in the builder with the network off; what it asks for
// passes through a door that stands on this side (package door):
//
//	write down each set of wishes as a question        (question.go)
//	let uv answer it, and backends of sdists           (graph.go, scripts/)
//	turn what went wrong into words of the spec        (fault.go)
//	complete the files by what their index says        (complete.go, wheel.go)
//	refuse what would fail later                       (check.go, names.go, known.go)
//	put all of it into the lock                        (fill.go)
//
// A set that asks for nothing from an index, as one of source trees whose needs
// Debian's packages meet, is answered without a door, and without uv.
package uv
