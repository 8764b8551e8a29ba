package llb

import (
	_ "embed" // the scripts

	bkllb "github.com/moby/buildkit/client/llb"
)

//go:embed scripts/wheel.sh
var wheelScript string

//go:embed scripts/install_wheel.py
var installWheelScript string

// Where the scripts of this file read and write.
const (
	sourcePath = "/.lamina/source"
	wheelPath  = "/.lamina/wheel"
	outPath    = "/.lamina/out"
)

// BuildWheel returns a state that holds the one wheel of a Python source tree,
// compiled in builder. caches are mounts that may speed it up and never change
// what comes out.
func BuildWheel(name string, builder, source State, caches ...bkllb.RunOption) State {
	exec := Exec{
		Name: name + ": compile",
		Args: []string{"/bin/sh", scriptsPath + "/wheel.sh"},
		Mounts: append([]bkllb.RunOption{
			Mount(sourcePath, source),
			Mount(scriptsPath, Files("script of the compilation", map[string]string{"wheel.sh": wheelScript})),
		}, caches...),
	}
	return exec.On(builder).AddMount(outPath, bkllb.Scratch())
}

// InstallWheel returns the one wheel in a state as a layer, installed by PyPA's
// installer where Debian's Python looks for local packages.
func InstallWheel(name string, builder, wheel State) State {
	exec := Exec{
		Name: name + ": install",
		Args: []string{"/usr/bin/python3", scriptsPath + "/install_wheel.py"},
		Mounts: []bkllb.RunOption{
			Mount(wheelPath, wheel),
			Mount(scriptsPath, Files("script of the installation", map[string]string{
				"install_wheel.py": installWheelScript,
			})),
		},
	}
	return Clean(name+": one layer", exec.On(builder).AddMount(outPath, bkllb.Scratch()), "/", "/")
}
