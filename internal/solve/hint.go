package solve

import (
	"regexp"
	"strings"
)

// advice is what can be done about something that a compilation printed.
type advice struct {
	said *regexp.Regexp
	hint string
}

func advices() []advice {
	return []advice{
		{
			regexp.MustCompile(`No module named '?"?[\w.]+`),
			"builds have what is locked for them and no more: list all of it in [python.build-requires], or as [builder] packages",
		},
		{
			regexp.MustCompile(`Temporary failure in name resolution|Name or service not known|Network is unreachable|Could not resolve host|unable to resolve host`),
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
// tells what it lacked, and about packages that don't fit each other.
func (e *Error) Hint() string {
	if strings.HasPrefix(e.Step, "smoke: requirements of ") && strings.Contains(e.Output, " needs ") {
		return `overrides = ["NAME==VERSION"] or excludes = ["NAME"] under [python] says that it may be so`
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
