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

// commands are the tests that run the app as it will be run: with its user,
// folder and environment.
func commands(in Input, root llb.State) []llb.State {
	all := slices.Concat(in.Smoke.Run, gpuCommands(in))
	tests := make([]llb.State, 0, len(all))
	for i, args := range all {
		exec := llb.Exec{
			Name:   "smoke: run " + strings.Join(args, " "),
			Args:   args,
			Env:    Env(in),
			Mounts: smokeMounts(in),
			GPU:    i >= len(in.Smoke.Run),
		}
		if in.App != nil {
			exec.Dir, exec.User = in.App.Workdir, in.App.User.Name
		}
		tests = append(tests, exec.On(root).Root())
	}
	return tests
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
		mounts = append(mounts, llb.MountAt(in.App.Path, llb.Packed(in.App.Layer)))
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
