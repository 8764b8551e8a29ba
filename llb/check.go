package llb

// ELFClosure is a check that every library which an ELF file of an image needs
// is there, none of CUDA's that something needs twice, and none of the driver's. What a
// package of the distribution needs, it depends on: a library that one lacks all the same is
// told, and no problem. The builder looks at the image, which needs no tools for that.
type ELFClosure struct {
	Image      State
	Lists      State    // of dpkg, for all packages of Image: see [Debian.Lists]
	ThirdParty []string // packages of other repositories than the distribution's
	Ignore     []string // sonames, and globs of absolute paths, that may be otherwise
}

// On runs the check in builder.
func (c ELFClosure) On(builder State) State {
	options := map[string]any{"driver": driverLibraries(), "ignore": list(c.Ignore), "third_party": list(c.ThirdParty)}
	exec := python("smoke: libraries of all ELF files", "scripts of the library check", options,
		"elf_closure.py", "check_layer.py", "private_keys.py", "globs.py")
	exec.Mounts = append(exec.Mounts, Mount{Target: "/image", From: c.Image}, Mount{Target: listsPath, From: c.Lists})
	return exec.Output(builder, outPath)
}

// driverLibraries are the sonames that the NVIDIA driver of the host brings
// into a container. No image may hold them.
func driverLibraries() []string {
	return []string{
		"libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1", "libnvcuvid.so.1",
		"libnvidia-encode.so.1",
	}
}

// Distributions is a check that what the Python packages of an image require
// of each other is there, that no two of them own a file, and that none lacks
// one. The builder looks at the image.
type Distributions struct {
	Image      State
	Optional   []string // projects that may be missing
	Overridden []string // projects of which it doesn't matter what others require
	Collisions []string // globs of files that two packages may both have
	Asked      []string // projects with extras, "a[b]", that all others are there for; nil where that isn't known
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
