package llb

import (
	_ "embed" // the script
	"slices"

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
// is there. The builder looks at the image, which needs no tools for that.
func ELFClosure(builder, image State, ignore []string) State {
	command := []string{"/usr/bin/python3", scriptsPath + "/elf_closure.py"}
	exec := Exec{
		Name: "smoke: libraries of all ELF files",
		Args: slices.Concat(command, DriverLibraries(), ignore),
		Mounts: []bkllb.RunOption{
			Mount("/image", image),
			Mount(scriptsPath, Files("script of the library check", map[string]string{
				"elf_closure.py": elfClosureScript,
			})),
		},
	}
	return exec.On(builder).Root()
}
