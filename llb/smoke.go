package llb

import (
	_ "embed" // the script

	bkllb "github.com/moby/buildkit/client/llb"
)

//go:embed scripts/elf_closure.py
var elfClosureScript string

// DriverLibraries are the sonames that the NVIDIA driver of the host brings
// into a container. No image may hold them.
func DriverLibraries() []string {
	return []string{
		"libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1", "libnvcuvid.so.1",
		"libnvidia-encode.so.1",
	}
}

// ELFClosure is a check that every library which an ELF file of the image needs
// is there, none of CUDA's that something needs twice, and none of the driver's; ignore
// lists the sonames that may be otherwise. The builder looks at the image, which needs no
// tools for that.
func ELFClosure(builder, image State, ignore []string) State {
	exec := Exec{
		Name: "smoke: libraries of all ELF files",
		Args: script("elf_closure.py"),
		Mounts: []bkllb.RunOption{
			Mount("/image", image),
			Mount(scriptsPath, Files("script of the library check", map[string]string{
				"elf_closure.py": elfClosureScript,
				"options.json":   options(map[string]any{"driver": DriverLibraries(), "ignore": list(ignore)}),
			})),
		},
	}
	return exec.On(builder).Root()
}
