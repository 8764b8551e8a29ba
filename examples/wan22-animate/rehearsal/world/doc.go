// Package world is the whole outside of examples/wan22-animate at small
// scale: the package indexes with every distribution of its closure, the two git
// repositories, the hub with the model. The example builds against it as it is
// shipped, but for the addresses, without the internet and in a minute. What a
// real build could stumble over is there as it is outside: names, versions,
// dependencies, tags of wheels, entry points, which library needs which, a C++
// extension to compile, a model of 400 and more files. Only the bytes are few,
// and the scripts that would need a GPU are stand-ins that behave like the real ones.
//
// Debian isn't among it: its mirror is asked as in any build. What compiles
// the extension (NumPy, Cython, setuptools) is made of Debian's packages.
package world
