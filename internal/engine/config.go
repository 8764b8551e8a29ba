package engine

import _ "embed" // for the variable below

// config is buildkitd.toml, what the private engine is started with.
//
//go:embed buildkitd.toml
var config string
