package stages

import (
	"slices"
	"strings"

	"lamina.build/llb"
)

// importAll imports the modules that its arguments name.
const importAll = `import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name)`

// tests returns the smoke tests of an image, each an exec that fails if the image would. They
// run on some of its parts, see [drawing.parts], with the app mounted over them.
func (d drawing) tests(tested []Part) []llb.State {
	if d.Smoke.Level == SmokeOff {
		return nil
	}
	root := llb.Merge("smoke: root file system", states(tested)...)
	tests := []llb.State{llb.ELFClosure{
		Image: root, Lists: noted(tested), ThirdParty: d.thirdParty(), Ignore: d.Smoke.ELFIgnore,
	}.On(d.root)}
	if d.hasPython() {
		tests = append(tests, llb.Distributions{
			Image: root, Optional: slices.Concat(d.Python.Optional, d.Python.Excludes), Overridden: d.Python.Overridden, Collisions: d.Python.Collisions,
			Asked: d.Python.Asked, Locked: names(d.Lock.PythonIn(d.Variant)),
		}.On(d.root))
	}
	if len(d.Smoke.Imports) > 0 {
		tests = append(tests, llb.Exec{
			Name: "smoke: import " + strings.Join(d.Smoke.Imports, ", "),
			Args: append([]string{"/usr/bin/python3", "-c", importAll}, d.Smoke.Imports...),
			Env:  env(d.Input),
		}.On(root))
	}
	if d.Smoke.Level == SmokeAll {
		tests = append(tests, d.commands(root)...)
	}
	return tests
}

// findEntrypoint fails if a container could not start: its program is not on the PATH, or one
// of the app's files among its arguments is missing.
const findEntrypoint = `command -v "$1" >/dev/null || { echo "$1: no such program in the image" >&2; exit 1; }
shift
for file; do [ -e "$file" ] || { echo "$file: no such file in the image" >&2; exit 1; }; done`

// commands returns the tests that run the app as in a container: with its user, directory and
// environment.
func (d drawing) commands(root llb.State) []llb.State {
	var tests []llb.State
	run := llb.Exec{Env: env(d.Input), Mounts: d.smokeMounts()}
	if d.App != nil {
		run.Dir, run.User = d.App.Workdir, d.App.User.Name
	}
	add := func(name string, args ...string) {
		run.Name, run.Args = "smoke: "+name, args
		tests = append(tests, run.On(root))
	}
	if d.App != nil && len(d.App.Entrypoint) > 0 {
		add("entrypoint "+strings.Join(d.App.Entrypoint, " "),
			slices.Concat([]string{"/bin/sh", "-euc", findEntrypoint, "entrypoint"}, d.App.entry())...)
	}
	for _, args := range d.Smoke.Run {
		add("run "+strings.Join(args, " "), args...)
	}
	if run.Devices = d.Smoke.Devices; len(run.Devices) > 0 {
		for _, args := range d.Smoke.GPU {
			add("run "+strings.Join(args, " "), args...)
		}
	}
	return tests
}

// entry returns the program that the container starts, and those of its arguments that are
// files of the app.
func (a *App) entry() []string {
	entry := a.Entrypoint[:1:1]
	for _, argument := range a.Entrypoint[1:] {
		if strings.HasPrefix(argument, a.Path+"/") {
			entry = append(entry, argument)
		}
	}
	return entry
}

// needsWeights reports whether a test reads the models' files, which the engine then pulls.
func (in Input) needsWeights() bool { return in.Smoke.NeedsWeights && in.Smoke.Level == SmokeAll }

// TestedWeights returns how many bytes of weights the engine pulls for the tests; nothing else
// pulls weights.
func (in Input) TestedWeights() (size int64) {
	if !in.needsWeights() {
		return 0
	}
	for _, m := range in.Models {
		for _, l := range m.Layers() {
			size += l.Size
		}
	}
	return size
}

func (d drawing) smokeMounts() []llb.Mount {
	var mounts []llb.Mount
	add := func(path string, from llb.State) {
		mounts = append(mounts, llb.Mount{Target: path, From: from, Source: path})
	}
	if d.App.brings() {
		add(d.App.Path, d.withTrees())
	}
	if d.needsWeights() {
		for _, m := range d.Models {
			var states []llb.State
			for _, w := range m.Weights {
				states = append(states, w.State)
			}
			add(m.Path, llb.Merge("smoke: weights of "+m.Path, states...))
		}
	}
	return mounts
}

// withTrees returns the app with the trees in its directory, which a mount of the app alone
// would hide.
func (d drawing) withTrees() llb.State {
	app := llb.Packed(d.App.Layer)
	var below []llb.State
	for _, t := range d.Trees {
		if strings.HasPrefix(t.Path, d.App.Path+"/") {
			below = append(below, t.State())
		}
	}
	if below == nil {
		return app
	}
	return llb.Merge("smoke: app with its git trees", append(below, app)...)
}
