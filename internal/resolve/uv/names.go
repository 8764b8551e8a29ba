package uv

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// checkNames rejects unknown names in the spec: with a typo, an optional project would not
// be optional, and build requirements would be lost. It is enough that one of the sets has a
// name: the variants share most of a spec.
func checkNames(requests []Request, answers []answer) error {
	known := namesOf(requests, answers)
	var problems []error
	told := map[string]bool{}
	check := func(r Request, key, name string) {
		if known[name] || told[key+name] {
			return
		}
		told[key+name] = true
		err := fmt.Errorf("%s[python] %s: %q is not an installed package%s", r.at(key, name), key, name, failure.DidYouMean(name, slices.Sorted(maps.Keys(known))))
		problems = append(problems, err)
	}
	for _, r := range requests {
		if r.Lock != "" || r.Project != "" {
			continue // a lock for many platforms has names that don't apply here
		}
		for _, name := range r.Optional {
			check(r, "optional", name)
		}
		for _, name := range slices.Sorted(maps.Keys(r.BuildRequires)) {
			check(r, "build-requires", name)
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

// tellUnasked notes unused projects that are bound to an index: with a typo in the name, the
// intended project would come from any index.
func (o Options) tellUnasked(requests []Request, answers []answer) {
	known, told := namesOf(requests, answers), map[string]bool{}
	for _, a := range answers {
		for _, d := range a.all() {
			known[d.Name] = true
		}
	}
	for _, d := range o.Before.Distributions { // unchanged builds are not resolved again
		if slices.ContainsFunc(d.For, func(set lock.Set) bool { return set.Kind == lock.SetBuild }) {
			known[d.Name] = true
		}
	}
	for _, r := range requests {
		for _, index := range r.Indexes {
			for _, name := range index.Packages {
				if r.Lock == "" && r.Project == "" && !known[name] && !told[name] {
					told[name] = true
					o.Note(fmt.Sprintf("%sindex %s has %q, which nothing requires%s", r.at("packages", name), index.Name, name, failure.DidYouMean(name, slices.Sorted(maps.Keys(known)))))
				}
			}
		}
	}
}

// namesOf returns the names of answers and those of requests themselves, since the marker of
// a requirement may not hold here and a source tree is in no lock.
func namesOf(requests []Request, answers []answer) map[string]bool {
	known := map[string]bool{}
	for i, a := range answers {
		for _, name := range slices.Concat(requests[i].projects(), a.projects()) {
			known[name] = true
		}
		for name := range requests[i].Sources {
			known[name] = true
		}
		for _, o := range a.Omitted {
			known[o.Requirement] = true
		}
	}
	delete(known, "") // of an archive without a project in its name
	return known
}

// compiled lists the tools for projects known to compile code when they are installed from
// an sdist or a git tree. Each list has alternative Debian packages, one of which is needed.
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

// checkBuilders reports what the builder lacks for the sdists of a lock, before their builds
// fail.
func checkBuilders(l lock.Lock, requests []Request) error {
	var problems []error
	for _, r := range requests {
		builder := l.In(lock.SetBuilder, r.Set.Variant)
		for _, d := range l.PythonIn(r.Set.Variant) {
			lacks := missing(compiled()[d.Name], builder)
			if d.IsWheel() || len(lacks) == 0 || slices.Contains(r.Optional, d.Name) {
				continue
			}
			err := fmt.Errorf("%s: %s %s has no wheel and must be compiled, but the builder lacks %s",
				r.Set, d.Name, d.Version, strings.Join(lacks, ", "))
			problems = append(problems, failure.WithHint(err, fmt.Sprintf("add to [builder] packages: %s", strings.Join(lacks, ", "))))
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

// missing returns the first name of each list that the builder has none of.
func missing(needs [][]string, builder []lock.Package) []string {
	var lacks []string
	for _, names := range needs {
		if !slices.ContainsFunc(names, func(name string) bool { _, ok := lock.Find(builder, name); return ok }) {
			lacks = append(lacks, names[0])
		}
	}
	return lacks
}
