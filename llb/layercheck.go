package llb

import "lamina.build/internal/scripts"

// LayerCheck checks a layer that the engine makes: no file is outside its places, deletes
// files of other layers or is a device, only files of Debian packages give rights, and it has
// no private key that its source has not published. The check runs in the builder, so the
// layer needs no tools for it.
type LayerCheck struct {
	Name   string // of the layer: "torch 2.6.0"
	Layer  State
	Places []string // absolute: the directories that it may fill
	Apart  []string // directories below them that it may not
	Keep   Exclude  // private keys that it may have

	Lists  *State // of dpkg, if the layer consists of Debian packages: see [Debian.Lists]
	Wheels []File // that it was made from: what their RECORDs list is public
	Sdist  *State // that it was made from, at the root: its content is public
}

// On runs the check in builder.
func (c LayerCheck) On(builder State) State {
	options := map[string]any{"name": c.Name, "places": list(c.Places), "apart": list(c.Apart), "keep": list(c.Keep)}
	exec := Exec{
		Name: "check: " + c.Name,
		// The scripts are the same for all layers, and occur once in a graph.
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
	return exec.Output(builder, outPath) // an empty directory: with the root, a cache would include the builder
}
