package uv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// compiled lists what projects compile, of those that are known to do so when
// they are installed from an sdist or a git tree. Each of the lists is one of
// Debian packages that all do, of which one has to be there.
//
// Sources: the setup.py of each project.
func compiled() map[string][][]string {
	cxx, c := []string{"g++", "clang"}, []string{"gcc", "g++", "clang"}
	headers := []string{"python3-dev", "libpython3-dev", "python3.11-dev", "libpython3.11-dev", "libpython3.13-dev"}
	nvcc := []string{"nvidia-cuda-toolkit", "cuda-nvcc", "cuda-nvcc-12-4", "cuda-nvcc-12-8", "cuda-toolkit-12-4", "cuda-toolkit-12-8"}
	return map[string][][]string{
		"insightface":      {cxx, headers}, // thirdparty/face3d/mesh/cython: one C++ extension
		"pycocotools":      {c, headers},
		"cython-bbox":      {c, headers},
		"fasttext":         {cxx, headers},
		"dlib":             {cxx, headers, {"cmake"}},
		"llama-cpp-python": {cxx, {"cmake"}},
		"pyworld":          {cxx, headers},
		"webrtcvad":        {c, headers},
		"psutil":           {c, headers},
		"flash-attn":       {cxx, headers, nvcc},
		"apex":             {cxx, headers, nvcc},
		"pytorch3d":        {cxx, headers, nvcc},
		"causal-conv1d":    {cxx, headers, nvcc},
		"mamba-ssm":        {cxx, headers, nvcc},
	}
}

// checkBuilders names what the builder lacks for the sdists of a lock, before
// their compilers do.
func checkBuilders(l lock.Lock, requests []Request) error {
	var faults []error
	for _, r := range requests {
		builder := l.In(lock.SetBuilder, r.Set.Variant)
		for _, d := range l.PythonIn(r.Set.Variant) {
			lacks := missing(compiled()[d.Name], builder)
			if d.IsWheel() || len(lacks) == 0 || slices.Contains(r.Optional, d.Name) {
				continue
			}
			err := fmt.Errorf("%s: %s %s has no wheel and is compiled, for which the builder lacks %s",
				r.Set, d.Name, d.Version, strings.Join(lacks, ", "))
			faults = append(faults, failure.WithHint(err, fmt.Sprintf("add to [builder] packages: %s", strings.Join(lacks, ", "))))
		}
	}
	return failure.New(failure.Usage, errors.Join(faults...))
}

// missing returns the first name of each list of which the builder has none.
func missing(needs [][]string, builder []lock.Package) []string {
	var lacks []string
	for _, names := range needs {
		if !slices.ContainsFunc(names, func(name string) bool { _, ok := lock.Find(builder, name); return ok }) {
			lacks = append(lacks, names[0])
		}
	}
	return lacks
}
