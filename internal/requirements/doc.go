// Package requirements reads pip's requirement files into a value.
//
// It follows what pip documents
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/) and, for
// one requirement, the dependency specifiers of PyPA
// (https://packaging.python.org/en/latest/specifications/dependency-specifiers/).
// It is stricter where pip guesses or forgets: what a lock can't hold, what pip
// would silently ignore and what isn't pinned is a fault. All faults of all
// files are told at once, each with its file and line.
//
// Nothing here reaches the network or the environment. A user and password may
// only stand in a URL, where they are taken out before anything else looks at
// the line, so that neither a [Set] nor an error can show them.
package requirements
