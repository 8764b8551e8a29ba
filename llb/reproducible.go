package llb

import "lamina.build/internal/scripts"

// DifferencesName is the file of [Debian.Differences].
const DifferencesName = "differences.json"

// Differences installs the packages twice and returns a file of the differences, of which
// there should be none: a list of objects with path, what differs and likely packages. The
// first installation is [Debian.State], or [Debian.On] a root file system. marker must be new:
// it makes the second one a separate step, since BuildKit merges equal steps. The comparison
// runs in the builder.
func (d Debian) Differences(builder State, rootfs *State, marker string) State {
	again := d
	again.marker = marker
	first, second, lists := d.State(), again.State(), d.Lists()
	if rootfs != nil {
		first, second, lists = d.On(*rootfs), again.On(*rootfs), d.ListsOn(*rootfs)
	}
	return Exec{
		Name: d.Name + ": compare two installations",
		Args: []string{"/usr/bin/python3", "-I", "-S", scriptsPath + "/differences.py", outPath + "/" + DifferencesName},
		Mounts: []Mount{
			{Target: scriptsPath, From: Files("scripts of the comparison", scripts.Named("differences.py", "check_layer.py", "private_keys.py", "globs.py", "keys.json", "made.tsv"))},
			{Target: firstPath, From: first},
			{Target: secondPath, From: second},
			{Target: listsPath, From: lists},
		},
	}.Output(builder, outPath)
}
