// Package wan22animate is the example that build uses if the current directory has no
// image.toml. It is part of the program, so that one command on a bare machine builds
// the image that Lamina exists for.
package wan22animate

import "embed"

// Name is the name of the example's directory.
const Name = "wan22-animate"

// Files are the spec, the requirement files and the app, without its tests.
//
//go:embed image.toml requirements*.txt README.md app/.dockerignore app/*.py
var Files embed.FS
