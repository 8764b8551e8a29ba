package llb

import "lamina.build/internal/scripts"

// LayerCheck is a check of a layer that the engine makes: nothing of it lies
// elsewhere than it should, deletes files of other layers or is a device, none but
// files of Debian packages give rights, and no private key is there that its source has
// not published. The builder looks at the layer, which needs no tools for that.
type LayerCheck struct {
	Name   string // of the layer: "torch 2.6.0"
	Layer  State
	Places []string // absolute: the directories that it may fill
	Apart  []string // those among them that it may not
	Keep   Exclude  // private keys that may be in it

	Lists  *State // of dpkg, where the layer is of Debian packages: see [Debian.Lists]
	Wheels []File // that it was made of: what their RECORDs list is public
	Sdist  *State // that it was made of, at the root: what it holds is public
}

// On runs the check in builder.
func (c LayerCheck) On(builder State) State {
	options := map[string]any{"name": c.Name, "places": list(c.Places), "apart": list(c.Apart), "keep": list(c.Keep)}
	exec := Exec{
		Name: "check: " + c.Name,
		// The scripts are the same for all layers, and in a graph once.
		Args: []string{"/usr/bin/python3", "-I", "-S", scriptsPath + "/check_layer.py", encode(options)},
		Mounts: []Mount{
			{Target: scriptsPath, From: Files("scripts of the check of layers", scripts.Named("check_layer.py", "private_keys.py", "globs.py", "keys.json", "made.tsv"))},
			{Target: layerPath, From: c.Layer},
		},
	}
	if c.Lists != nil {
		exec.Mounts = append(exec.Mounts, Mount{Target: listsPath, From: *c.Lists})
	}
	if c.Sdist != nil {
		exec.Mounts = append(exec.Mounts, Mount{Target: sourcePath, From: *c.Sdist})
	}
	for _, f := range c.Wheels {
		exec.Mounts = append(exec.Mounts, wheelMount(f))
	}
	return exec.Output(builder, outPath) // a directory with nothing in it: of its root, a cache would have the builder
}
