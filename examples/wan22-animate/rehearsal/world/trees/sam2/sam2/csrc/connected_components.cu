// A stand-in: nothing here is compiled.
