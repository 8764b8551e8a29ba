package solve

import (
	"regexp"
	"slices"
	"strings"
)

// advice is what can be done about something that a compilation printed.
type advice struct {
	said *regexp.Regexp
	hint string
}

// offline is what programs say that look for a network.
var offline = regexp.MustCompile(`Temporary failure (in name resolution|resolving)|Name or service not known|Network is unreachable|Could not resolve host|unable to resolve host`)

func advices() []advice {
	return []advice{
		{
			regexp.MustCompile(`No module named '?"?[\w.]+`),
			"builds have what is locked for them and no more: list all of it in [python.build-requires], or as [builder] packages",
		},
		{
			offline,
			"builds have no network: what they fetch has to be among the requirements, the sources or the [builder] packages",
		},
		{
			regexp.MustCompile(`Python\.h: No such file`),
			"the builder has no headers of Python: add python3-dev to [builder] packages",
		},
		{
			regexp.MustCompile(`nvcc: (command )?not found|CUDA_HOME|'[^']*nvcc'`),
			"the builder has no CUDA compiler: add nvidia-cuda-toolkit or NVIDIA's own packages to [builder] packages, or take a wheel that is built",
		},
		{
			regexp.MustCompile(`(gcc|g\+\+|\bcc|c\+\+)'? (failed: No such file|failed with exit code 127)|(gcc|g\+\+|cc1plus): (command )?not found|No such file or directory: '[^']*(gcc|g\+\+|cc)'|No CMAKE_CXX?_COMPILER could be found`),
			"the builder has no C compiler: add g++ and python3-dev to [builder] packages",
		},
		{
			regexp.MustCompile(`No such file or directory: 'cmake'|cmake: (command )?not found`),
			"the builder has no CMake: add cmake to [builder] packages",
		},
	}
}

// Hint says what can be done about a compilation that failed, where its output
// tells what it lacked, about scripts of packages, about packages that don't fit each other, and which lines
// let libraries be as they are.
func (e *Error) Hint() string {
	switch {
	case installation.MatchString(e.Step):
		return e.packagesHint()
	case e.Step == librariesStep:
		return librariesHint(e.Output)
	case strings.HasPrefix(e.Step, "check: "):
		return keysHint(e.Output)
	case strings.HasPrefix(e.Step, "smoke: requirements of ") && strings.Contains(e.Output, " needs "):
		return `overrides = ["NAME==VERSION"] or excludes = ["NAME"] under [python] says that it may be so`
	}
	if m := unloadable.FindStringSubmatch(e.Output); m != nil && strings.HasPrefix(e.Step, "smoke: ") {
		return packagesOf(m[1:])
	}
	if !strings.HasSuffix(e.Step, ": compile") {
		return ""
	}
	for _, a := range advices() {
		if a.said.MatchString(e.Output) {
			return a.hint
		}
	}
	return ""
}

// unloadable is what the dynamic linker says of a library that is nowhere.
var unloadable = regexp.MustCompile(`\b(lib[\w.+-]+\.so[\w.]*): cannot open shared object file`)

// packagesOf says which Debian packages have libraries that wheels take for granted, as
// the manylinux policies let them (PEP 600 and what it lists), and that an image has where
// a package needs them alone.
func packagesOf(sonames []string) string {
	known := map[string]string{
		"libX11.so.6": "libx11-6", "libXext.so.6": "libxext6", "libXrender.so.1": "libxrender1", "libICE.so.6": "libice6", "libSM.so.6": "libsm6",
		"libGL.so.1": "libgl1", "libglib-2.0.so.0": "libglib2.0-0", "libgobject-2.0.so.0": "libglib2.0-0", "libgthread-2.0.so.0": "libglib2.0-0",
		"libatomic.so.1": "libatomic1", "libexpat.so.1": "libexpat1", "libgcc_s.so.1": "libgcc-s1", "libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6", "libz.so.1": "zlib1g",
	}
	var packages []string
	for _, soname := range sonames {
		if name, ok := known[soname]; ok && !slices.Contains(packages, name) {
			packages = append(packages, name)
		}
	}
	if len(packages) == 0 {
		return "add the packages that have the libraries to packages under [debian]"
	}
	return "add " + list(packages) + " to packages under [debian]"
}

// librariesStep is the smoke test of stages that looks at all ELF files.
const librariesStep = "smoke: libraries of all ELF files"

// librariesHint reads what internal/scripts/elf_closure.py says of an image.
func librariesHint(output string) string {
	var hints, missing, excluded, prune []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		name, rest, ok := strings.Cut(line, " is needed by ")
		_, path, isExcluded := strings.Cut(rest, " has it as ")
		switch {
		case !ok || strings.HasPrefix(line, noteMark):
		case isExcluded:
			excluded = append(excluded, "!"+path+"*") // a link to the library as well
		default:
			missing = append(missing, name)
		}
		if _, paths, ok := strings.Cut(line, "once is enough: prune all but one of "); ok {
			prune = append(prune, second(strings.Split(paths, ", "))...)
		}
	}
	if len(missing) > 0 {
		hints = append(hints, packagesOf(missing)+", or, where nothing loads what needs them, elf-ignore = "+list(missing)+
			" under [smoke], which may as well name the files that need them")
	}
	if len(excluded) > 0 {
		hints = append(hints, "take them back at the end of exclude under [debian]: "+list(excluded))
	}
	if len(prune) > 0 {
		hints = append(hints, "keep the copies in NVIDIA's own wheels: prune = "+list(prune)+" under [python]")
	}
	return strings.Join(hints, "; ")
}

// keysHint reads what internal/scripts/check_layer.py says of a layer.
func keysHint(output string) string {
	var paths []string
	for line := range strings.Lines(output) {
		if path, _, ok := strings.Cut(line, " holds a private key ("); ok && !strings.HasPrefix(line, noteMark) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return "everybody would have it who has the image; where that may be, keep = " + list(paths) + " under [debian]"
}

// second returns the copies of a library next to the one of NVIDIA's own wheels, as
// rules that prune them; nothing where there is no such one.
func second(paths []string) []string {
	var rules []string
	for _, path := range paths {
		_, rule, ok := strings.Cut(path, "/dist-packages/")
		if !ok {
			return nil
		}
		if !strings.HasPrefix(rule, "nvidia/") {
			rules = append(rules, rule)
		}
	}
	if len(rules) != len(paths)-1 {
		return nil
	}
	return rules
}

// list words names as TOML does.
func list(names []string) string {
	return `["` + strings.Join(names, `", "`) + `"]`
}
