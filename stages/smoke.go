package stages

import (
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/llb"
)

// importAll imports the modules that its arguments name.
const importAll = `import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name)`

// Tests are the smoke tests of an image, each an exec that fails where
// the image would. They run on the runtime with its wheels; the app is mounted
// over that, since a root file system that holds it would have to be linked
// anew, file by file, at each of its changes. runtime holds the layers below
// the app.
func Tests(in Input, builder llb.State, runtime []llb.State) []llb.State {
	if in.Smoke.Level == SmokeOff {
		return nil
	}
	root := llb.Merge("smoke: root file system", runtime...)
	tests := []llb.State{llb.ELFClosure(builder, root, in.Smoke.ELFIgnore)}
	if in.hasPython() {
		tests = append(tests, llb.Distributions(builder, root, llb.DistributionRules{
			Optional: slices.Concat(in.Python.Optional, in.Python.Excludes), Overridden: in.Python.Overridden, Collisions: in.Python.Collisions,
		}))
	}
	if len(in.Smoke.Imports) > 0 {
		tests = append(tests, llb.Exec{
			Name: "smoke: import " + strings.Join(in.Smoke.Imports, ", "),
			Args: append([]string{"/usr/bin/python3", "-c", importAll}, in.Smoke.Imports...),
			Env:  Env(in),
		}.On(root).Root())
	}
	if in.Smoke.Level == SmokeAll {
		tests = append(tests, commands(in, root)...)
	}
	return tests
}

// findEntrypoint fails where a container could not start: its program is not
// on the PATH, or one of the app's files among its arguments is not there.
const findEntrypoint = `command -v "$1" >/dev/null || { echo "$1: no such program in the image" >&2; exit 1; }
shift
for file; do [ -e "$file" ] || { echo "$file: no such file in the image" >&2; exit 1; }; done`

// commands are the tests that run the app as it will be run: with its user,
// folder and environment.
func commands(in Input, root llb.State) []llb.State {
	all := slices.Concat(in.Smoke.Run, gpuCommands(in))
	tests := make([]llb.State, 0, len(all)+1)
	if in.App != nil && len(in.App.Entrypoint) > 0 {
		tests = append(tests, in.App.exec(in, llb.Exec{
			Name: "smoke: entrypoint " + strings.Join(in.App.Entrypoint, " "),
			Args: slices.Concat([]string{"/bin/sh", "-euc", findEntrypoint, "entrypoint"}, in.App.entry()),
		}).On(root).Root())
	}
	for i, args := range all {
		test := in.App.exec(in, llb.Exec{
			Name: "smoke: run " + strings.Join(args, " "),
			Args: args,
			GPU:  i >= len(in.Smoke.Run),
		})
		tests = append(tests, test.On(root).Root())
	}
	return tests
}

// exec is e as the container would run it; without an app, as root.
func (a *App) exec(in Input, e llb.Exec) llb.Exec {
	e.Env, e.Mounts = Env(in), smokeMounts(in)
	if a != nil {
		e.Dir, e.User = a.Workdir, a.User.Name
	}
	return e
}

// entry is the program that the container starts, and those of its arguments
// that are files of the app.
func (a *App) entry() []string {
	entry := a.Entrypoint[:1:1]
	for _, argument := range a.Entrypoint[1:] {
		if strings.HasPrefix(argument, a.Path+"/") {
			entry = append(entry, argument)
		}
	}
	return entry
}

func gpuCommands(in Input) [][]string {
	if !in.Smoke.Device {
		return nil
	}
	return in.Smoke.GPU
}

func smokeMounts(in Input) []bkllb.RunOption {
	var mounts []bkllb.RunOption
	if in.App != nil {
		mounts = append(mounts, llb.MountAt(in.App.Path, in.withTrees()))
	}
	if !in.Smoke.NeedsWeights {
		return mounts
	}
	for _, m := range in.Models {
		files := llb.Merge("smoke: weights of "+m.Path, Models(Input{Models: []Model{m}})...)
		mounts = append(mounts, llb.MountAt(m.Path, files))
	}
	return mounts
}

// withTrees is the app with the trees that lie in its folder, which the mount of
// the app alone would hide.
func (in Input) withTrees() llb.State {
	app := llb.Packed(in.App.Layer)
	var below []llb.State
	for _, t := range in.Trees {
		if strings.HasPrefix(t.Path, in.App.Path+"/") {
			below = append(below, t.Layer())
		}
	}
	if below == nil {
		return app
	}
	return llb.Merge("smoke: app with its git trees", append(below, app)...)
}
