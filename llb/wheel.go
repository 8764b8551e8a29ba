package llb

import (
	"path"
	"strconv"
	"strings"

	"lamina.build/internal/scripts"
)

// Where the scripts of this file read and write.
const (
	sourcePath = "/.lamina/source"
	wheelsPath = "/.lamina/wheels"
	outPath    = "/.lamina/out"
	uvPath     = "/.lamina/uv"
	localPath  = "/usr/local" // where Debian's Python looks before its own packages
)

// WheelBuild builds a wheel from sources.
type WheelBuild struct {
	Name        string // shown to people
	Source      State  // a tree, or an sdist as a file at its root
	Archive     string // name of the sdist; "" for a tree
	Dir         string // of the project below the tree
	Project     string // normalised name in the lock: "flash-attn"; "" for the user's own tree
	Version     string // the locked version, whatever the sources say
	Environment *State // what it is built with, from [Wheels]; nil for what the builder has
	Optional    bool   // a failed build makes no wheel, and is no error
}

// On returns a state that holds the one wheel, compiled in builder.
func (w WheelBuild) On(builder State) State {
	exec := Exec{
		Name: w.Name + ": compile",
		Args: []string{"/bin/sh", scriptsPath + "/wheel.sh", w.Archive, w.Dir, w.Version, strconv.FormatBool(w.Optional), w.Project},
		Env:  w.versions(),
		Mounts: []Mount{
			{Target: sourcePath, From: w.Source},
			{Target: scriptsPath, From: Files("scripts of the compilation", scripts.Named("wheel.sh", "source.py", "sdist.py", "built.py"))},
		},
	}
	if w.Environment != nil {
		exec.Mounts = append(exec.Mounts, Mount{Target: localPath, From: *w.Environment, Source: localPath})
	}
	return exec.Output(builder, outPath)
}

// versions returns variables that tell build backends the locked version. They would ask git
// for the tag otherwise, and neither an sdist nor the tree of a commit has a history.
func (w WheelBuild) versions() []string {
	if w.Project == "" || w.Version == "" {
		return nil
	}
	suffix := strings.ToUpper(strings.ReplaceAll(w.Project, "-", "_"))
	var env []string
	for _, key := range []string{
		"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_" + suffix, // hatch-vcs and scikit-build-core use setuptools-scm, too
		"SETUPTOOLS_SCM_PRETEND_VERSION",               // the only one before version 6
		"PBR_VERSION",
		"PDM_BUILD_SCM_VERSION",
		"POETRY_DYNAMIC_VERSIONING_BYPASS",
		"UV_DYNAMIC_VERSIONING_BYPASS",
	} {
		env = append(env, key+"="+w.Version)
	}
	return env
}

// UV is uv's program, from its wheel.
type UV struct{ Wheel File }

// On returns a state with the program as /uv, unpacked by the builder.
func (u UV) On(builder State) State {
	wheel := wheelMount(u.Wheel)
	return Exec{
		Name:   "unpack uv",
		Here:   true,
		Args:   []string{"/bin/sh", "-euc", `python3 -m zipfile -e "$0" /unpacked; install -m 0755 /unpacked/*.data/scripts/uv "$1"`, wheel.Target, outPath},
		Mounts: []Mount{wheel},
	}.Output(builder, outPath)
}

// Wheels are installed together into one layer, where Debian's Python looks for
// local packages.
type Wheels struct {
	Name       string
	UV         *State   // the installer, from [UV]; nil for Debian's installer
	Files      []File   // wheels by name; each state has the wheel at its root
	Built      *State   // a state with one wheel, or none, in place of Files
	Prune      []string // globs below site-packages of what to leave out; a leading ! includes again
	Collisions []string // globs of files that two wheels may both have
	Optional   bool     // there may be no wheel in Built
	Here       bool     // kept out of caches outside the engine, since no image contains it
}

// On returns the installed wheels as one clean layer. It is the only kind of layer that doesn't
// end in [Clean]: a script sets the time and mode of every file, and a copy of gigabytes
// would take as long as the installation.
func (w Wheels) On(builder State) State {
	options := map[string]any{"prune": list(w.Prune), "collisions": list(w.Collisions), "optional": w.Optional}
	exec := python(w.Name+": install", "scripts of the installation", options, "install_wheels.py", "finish_wheels.py", "globs.py")
	exec.Here = w.Here
	if w.UV != nil {
		exec.Mounts = append(exec.Mounts, Mount{Target: uvPath, From: *w.UV})
	}
	if w.Built != nil {
		exec.Mounts = append(exec.Mounts, Mount{Target: wheelsPath, From: *w.Built})
	}
	// One mount for each: gathering them first would copy every one.
	for _, f := range w.Files {
		exec.Mounts = append(exec.Mounts, wheelMount(f))
	}
	return exec.Output(builder, outPath)
}

func wheelMount(f File) Mount {
	name := path.Base(f.Path)
	return Mount{Target: wheelsPath + "/" + name, From: f.From, Source: "/" + name}
}
