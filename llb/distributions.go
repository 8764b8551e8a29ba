package llb

import (
	_ "embed" // the scripts

	bkllb "github.com/moby/buildkit/client/llb"
)

//go:embed scripts/check_distributions.py
var checkDistributionsScript string

//go:embed scripts/globs.py
var globsScript string

// GlobScript is the Python module by which all scripts match the globs of a
// spec, for one that does not run in an image's graph.
func GlobScript() string { return globsScript }

// DistributionRules are the exceptions of [Distributions].
type DistributionRules struct {
	Optional   []string // projects that may be missing
	Overridden []string // projects of which it doesn't matter what others require
	Collisions []string // globs of files that two packages may both have
}

// Distributions is a check that what the Python packages of an image require
// of each other is there, that no two of them own a file, and that none lacks
// one. The builder looks at the image.
func Distributions(builder, image State, rules DistributionRules) State {
	exec := Exec{
		Name: "smoke: requirements of all Python packages",
		Args: script("check_distributions.py"),
		Mounts: []bkllb.RunOption{
			Mount("/image", image),
			Mount(scriptsPath, Files("scripts of the package check", map[string]string{
				"check_distributions.py": checkDistributionsScript,
				"globs.py":               globsScript,
				"options.json": options(map[string]any{
					"optional": list(rules.Optional), "overridden": list(rules.Overridden), "collisions": list(rules.Collisions),
				}),
			})),
		},
	}
	return exec.On(builder).Root()
}
