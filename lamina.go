// Package lamina holds the files at the root of the module that other packages
// build in. The tool is cmd/build; a program of your own starts from stages.
package lamina

import _ "embed" // for the variables below

// BuildkitdTOML is buildkitd.toml, the configuration of the private engine.
//
//go:embed buildkitd.toml
var BuildkitdTOML string
