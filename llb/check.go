package llb

// ELFClosure checks that every library that an ELF file of an image needs is there, that none
// of CUDA's that something needs is there twice, and none of the driver's at all. A package
// of the distribution depends on what it needs: a library that it still lacks is reported and
// no problem. The check runs in the builder, so the image needs no tools for it.
type ELFClosure struct {
	Image      State
	Lists      State    // of dpkg, for all packages of Image: see [Debian.Lists]
	ThirdParty []string // packages of other repositories than the distribution's
	Ignore     []string // sonames, and globs of absolute paths, to ignore
}

// On runs the check in builder.
func (c ELFClosure) On(builder State) State {
	options := map[string]any{"driver": driverLibraries(), "ignore": list(c.Ignore), "third_party": list(c.ThirdParty)}
	exec := python("smoke: libraries of all ELF files", "scripts of the library check", options,
		"elf_closure.py", "check_layer.py", "private_keys.py", "globs.py")
	exec.Mounts = append(exec.Mounts, Mount{Target: "/image", From: c.Image}, Mount{Target: listsPath, From: c.Lists})
	return exec.Output(builder, outPath)
}

// driverLibraries returns the sonames that the host's NVIDIA driver adds to a container. No
// image may contain them.
func driverLibraries() []string {
	return []string{
		"libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1", "libnvcuvid.so.1",
		"libnvidia-encode.so.1",
	}
}

// Distributions checks that the requirements of an image's Python packages are met, that no
// file has two owners, and that no file is missing. The check runs in the builder.
type Distributions struct {
	Image      State
	Optional   []string // projects that may be missing
	Overridden []string // projects for which the requirements of others don't matter
	Collisions []string // globs of files that two packages may both have
	Asked      []string // projects with extras, "a[b]", that require all the others; nil if unknown
	Locked     []string // projects that are not built from a tree
}

// On runs the check in builder.
func (d Distributions) On(builder State) State {
	options := map[string]any{
		"optional": list(d.Optional), "overridden": list(d.Overridden), "collisions": list(d.Collisions),
	}
	if d.Asked != nil {
		options["asked"], options["locked"] = d.Asked, list(d.Locked)
	}
	exec := python("smoke: requirements of all Python packages", "scripts of the package check", options,
		"check_distributions.py", "globs.py")
	exec.Mounts = append(exec.Mounts, Mount{Target: "/image", From: d.Image})
	return exec.Output(builder, outPath)
}
