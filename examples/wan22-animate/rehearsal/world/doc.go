// Package world is everything outside examples/wan22-animate at small scale: the
// package indexes with every distribution of its closure, the two git repositories, the
// hub with the model. The shipped example, except for its addresses, builds against it
// without the internet and in a minute. Everything that a real build could stumble over
// is the same: names, versions, dependencies, tags of wheels, entry points, which
// library needs which, a C++ extension to compile, a model of more than 400 files. Only
// the bytes are few, and the scripts that would need a GPU are stand-ins that behave
// like the real ones.
//
// Debian isn't part of it: builds use its mirror as always. The packages that compile
// the extension (NumPy, Cython, setuptools) are made of Debian's.
package world
