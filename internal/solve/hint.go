package solve

import (
	"regexp"
	"slices"
	"strings"
)

// advice is a hint for something that a compilation prints.
type advice struct {
	said *regexp.Regexp
	hint string
}

// offline matches what programs print that need a network.
var offline = regexp.MustCompile(`Temporary failure (in name resolution|resolving)|Name or service not known|Network is unreachable|Could not resolve host|unable to resolve host`)

func advices() []advice {
	return []advice{
		{
			regexp.MustCompile(`No module named '?"?[\w.]+`),
			"builds have only what is locked for them: list all of it in [python.build-requires], or as [builder] packages",
		},
		{
			offline,
			"builds have no network: add what they download to the requirements, the sources or the [builder] packages",
		},
		{
			regexp.MustCompile(`Python\.h: No such file`),
			"the builder has no Python headers: add python3-dev to [builder] packages",
		},
		{
			regexp.MustCompile(`nvcc: (command )?not found|CUDA_HOME|'[^']*nvcc'`),
			"the builder has no CUDA compiler: add nvidia-cuda-toolkit or NVIDIA's own packages to [builder] packages, or use a built wheel",
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

// Hint returns what to do about a failed compilation, if its output shows what is missing,
// about failed package scripts, about packages that don't fit each other, and which
// settings accept libraries as they are.
func (e *Error) Hint() string {
	switch {
	case installation.MatchString(e.Step):
		return e.packagesHint()
	case e.Step == librariesStep:
		return librariesHint(e.Output)
	case strings.HasPrefix(e.Step, "check: "):
		return keysHint(e.Output)
	case strings.HasPrefix(e.Step, "smoke: requirements of ") && strings.Contains(e.Output, " needs "):
		return `to accept it, set overrides = ["NAME==VERSION"] or excludes = ["NAME"] under [python]`
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

// unloadable matches the dynamic linker's error about a missing library.
var unloadable = regexp.MustCompile(`\b(lib[\w.+-]+\.so[\w.]*): cannot open shared object file`)

// packagesOf names the Debian packages of libraries that wheels take for granted, as the
// manylinux policies allow (PEP 600 and what it lists), and that an image has only if a
// package needs them.
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

// librariesStep is the smoke test of package stages that checks all ELF files.
const librariesStep = "smoke: libraries of all ELF files"

// librariesHint reads the output of internal/scripts/elf_closure.py.
func librariesHint(output string) string {
	var hints, missing, excluded, prune []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		name, rest, ok := strings.Cut(line, " is needed by ")
		_, path, isExcluded := strings.Cut(rest, " has it as ")
		switch {
		case !ok || strings.HasPrefix(line, noteMark):
		case isExcluded:
			excluded = append(excluded, "!"+path+"*") // links to the library, too
		default:
			missing = append(missing, name)
		}
		if _, paths, ok := strings.Cut(line, "once is enough: prune all but one of "); ok {
			prune = append(prune, second(strings.Split(paths, ", "))...)
		}
	}
	if len(missing) > 0 {
		hints = append(hints, packagesOf(missing)+", or, if nothing loads what needs them, set elf-ignore = "+list(missing)+
			" under [smoke], which may also name the files that need them")
	}
	if len(excluded) > 0 {
		hints = append(hints, "include them again at the end of exclude under [debian]: "+list(excluded))
	}
	if len(prune) > 0 {
		hints = append(hints, "keep the copies in NVIDIA's own wheels: set prune = "+list(prune)+" under [python]")
	}
	return strings.Join(hints, "; ")
}

// keysHint reads the output of internal/scripts/check_layer.py.
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
	return "everybody who has the image would have it; if that is intended, set keep = " + list(paths) + " under [debian]"
}

// second returns the copies of a library apart from the one in NVIDIA's own wheels, as
// rules that prune them; nothing if there is no such one.
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

// list formats names as in TOML, each once.
func list(names []string) string {
	var all []string
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return `["` + strings.Join(all, `", "`) + `"]`
}
