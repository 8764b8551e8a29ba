package llb

import (
	_ "embed" // the scripts
	"encoding/json"
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
)

//go:embed scripts/wheel.sh
var wheelScript string

//go:embed scripts/source.py
var sourceScript string

//go:embed scripts/sdist.py
var sdistScript string

//go:embed scripts/built.py
var builtScript string

// SdistScript is the Python module that unpacks sdists, for those who look into them before.
func SdistScript() string { return sdistScript }

//go:embed scripts/install_wheels.py
var installWheelsScript string

//go:embed scripts/finish_wheels.py
var finishWheelsScript string

// Where the scripts of this file read and write.
const (
	sourcePath = "/.lamina/source"
	wheelsPath = "/.lamina/wheels"
	outPath    = "/.lamina/out"
	uvPath     = "/.lamina/uv"
	localPath  = "/usr/local" // where Debian's Python looks before its own packages
)

// WheelBuild makes a wheel of sources in a builder.
type WheelBuild struct {
	Name        string // what people see
	Source      State  // a tree, or an sdist as a file at its root
	Archive     string // name of the sdist; "" for a tree
	Dir         string // of the project below the tree
	Project     string // normalised name of what is locked: "flash-attn"; "" for a tree of the user's own
	Version     string // that is locked for it, whatever the sources say
	Environment *State // what it is built with, from [Wheels.Environment]; nil for what the builder has
	Optional    bool   // a failure makes no wheel, and is none
	Caches      []bkllb.RunOption
}

// On returns a state that holds the one wheel, compiled in builder. Caches may
// speed it up and never change what comes out.
func (w WheelBuild) On(builder State) State {
	exec := Exec{
		Name: w.Name + ": compile",
		Args: []string{"/bin/sh", scriptsPath + "/wheel.sh", w.Archive, w.Dir, w.Version, strconv.FormatBool(w.Optional), w.Project},
		Env:  w.versions(),
		Mounts: append([]bkllb.RunOption{
			Mount(sourcePath, w.Source),
			Mount(scriptsPath, Files("scripts of the compilation", map[string]string{
				"wheel.sh": wheelScript, "source.py": sourceScript, "sdist.py": sdistScript, "built.py": builtScript,
			})),
		}, w.Caches...),
	}
	if w.Environment != nil {
		exec = exec.With(MountAt(localPath, *w.Environment))
	}
	return exec.On(builder).AddMount(outPath, bkllb.Scratch())
}

// versions tell build backends the version that is locked. They would ask git for
// the tag otherwise, and no history comes with an sdist or the tree of a commit.
func (w WheelBuild) versions() []string {
	if w.Project == "" || w.Version == "" {
		return nil
	}
	suffix := strings.ToUpper(strings.ReplaceAll(w.Project, "-", "_"))
	var env []string
	for _, key := range []string{
		"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_" + suffix, // hatch-vcs and scikit-build-core ask setuptools-scm, too
		"SETUPTOOLS_SCM_PRETEND_VERSION",               // all that it knew before version 6
		"PBR_VERSION",
		"PDM_BUILD_SCM_VERSION",
		"POETRY_DYNAMIC_VERSIONING_BYPASS",
		"UV_DYNAMIC_VERSIONING_BYPASS",
	} {
		env = append(env, key+"="+w.Version)
	}
	return env
}

// UV is uv's program, as /uv, out of its wheel. The builder unpacks it.
func UV(wheel File, builder State) State {
	name := path.Base(wheel.Path)
	exec := Exec{
		Name: "unpack uv",
		Args: []string{"/bin/sh", "-euc", `python3 -m zipfile -e "$0" /unpacked; install -m 0755 /unpacked/*.data/scripts/uv "$1"`, wheelsPath + "/" + name, outPath},
		Mounts: []bkllb.RunOption{
			Mount(wheelsPath+"/"+name, wheel.From, bkllb.SourcePath("/"+name)),
		},
	}
	return exec.On(builder).AddMount(outPath, bkllb.Scratch())
}

// Wheels are installed together into one layer, where Debian's Python looks for
// local packages.
type Wheels struct {
	Name       string
	UV         *State   // what installs them, from [UV]; nil for Debian's installer
	Files      []File   // wheels by their names; each state has the wheel at its root
	Built      *State   // the one wheel in a state, or none in it, in place of Files
	Prune      []string // globs below site-packages of what stays out; a leading ! takes back
	Collisions []string // globs of files that two wheels may both have
	Optional   bool     // there may be no wheel in Built
}

// Layer returns the installed wheels as one clean layer. It is the one kind of
// layer that doesn't end in [Clean]: a script gives every file its time and mode,
// and a copy of gigabytes would cost as much as the installation.
func (w Wheels) Layer(builder State) State {
	exec := Exec{
		Name: w.Name + ": install",
		Args: script("install_wheels.py"),
		Mounts: []bkllb.RunOption{
			Mount(scriptsPath, Files("scripts of the installation", map[string]string{
				"install_wheels.py": installWheelsScript,
				"finish_wheels.py":  finishWheelsScript,
				"globs.py":          globsScript,
				"options.json": options(map[string]any{
					"prune": list(w.Prune), "collisions": list(w.Collisions), "optional": w.Optional,
				}),
			})),
		},
	}
	if w.UV != nil {
		exec = exec.With(Mount(uvPath, *w.UV))
	}
	if w.Built != nil {
		exec = exec.With(Mount(wheelsPath, *w.Built))
	}
	// A mount each: gathering them first would copy every one.
	for _, f := range w.Files {
		name := path.Base(f.Path)
		exec = exec.With(Mount(wheelsPath+"/"+name, f.From, bkllb.SourcePath("/"+name)))
	}
	return exec.On(builder).AddMount(outPath, bkllb.Scratch())
}

// script starts a Python script with nothing but what it names itself, so that
// no site customisation and no locally installed package comes in between.
func script(name string) []string {
	return []string{"/usr/bin/python3", "-I", "-S", scriptsPath + "/" + name, scriptsPath + "/options.json"}
}

// options is what a script reads, with its keys in order.
func options(values map[string]any) string {
	data, err := json.Marshal(values)
	if err != nil {
		panic("internal error: " + err.Error()) // lists of strings and truths
	}
	return string(data) + "\n"
}

// list is never null to a script.
func list(s []string) []string { return append([]string{}, s...) }
