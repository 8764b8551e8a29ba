package uv

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
	"lamina.build/llb"
)

// check rejects what would fail only after downloading gigabytes: projects known to conflict,
// files that two of them own, scripts that replace Debian's.
func (o Options) check(r Request, a answer, there inventory) error {
	asked := r.projects()
	var problems []error
	for _, err := range enemies(a.projects(), asked) {
		problems = append(problems, failure.New(failure.Usage, fmt.Errorf("%s: %w", r.Set, err)))
	}
	problems = append(append(problems, o.imports(r, a, there)), onDirs(r.Set.String(), a.Distributions)...)
	o.tellTwice(r, a, there)
	prune, allowed := llb.Exclude(r.Prune).Matcher(), llb.Exclude(r.Collisions).Matcher()
	owners := map[string]owner{}
	clashes := map[[2]*distribution][]string{}
	for _, d := range a.Distributions {
		for _, m := range d.files() {
			subject := strings.TrimPrefix(m.Target, outside)
			if prune(subject) || allowed(subject) {
				continue
			}
			if first, taken := owners[m.Target]; taken && first.dist != d && (first.Size != m.Size || first.Sum != m.Sum) {
				pair := [2]*distribution{first.dist, d}
				clashes[pair] = append(clashes[pair], subject)
			} else if !taken {
				owners[m.Target] = owner{m, d}
			}
			problems = append(problems, shadowing(r, d, m, there))
		}
	}
	pairs := slices.SortedFunc(maps.Keys(clashes), func(a, b [2]*distribution) int {
		return cmp.Or(cmp.Compare(a[0].Name, b[0].Name), cmp.Compare(a[1].Name, b[1].Name))
	})
	for _, pair := range pairs {
		if !areEnemies(pair[0].Name, pair[1].Name) { // those are reported above
			problems = append(problems, clash(r, asked, pair, clashes[pair]))
		}
	}
	return errors.Join(problems...)
}

// onDirs rejects files that are directories of others: no installer can make both.
func onDirs(set string, list []*distribution) (problems []error) {
	files := map[string]*distribution{}
	for _, d := range list {
		for _, m := range d.files() {
			files[m.Target] = d
		}
	}
	for _, d := range list {
		for _, m := range d.files() {
			for dir := path.Dir(m.Target); dir != "."; dir = path.Dir(dir) {
				if first := files[dir]; first != nil {
					delete(files, dir) // report it once
					err := fmt.Errorf("%s: %s holds the file %s, and %s holds files below it", set, first.title(), strings.TrimPrefix(dir, outside), d.title())
					problems = append(problems, failure.New(failure.Usage, err))
				}
			}
		}
	}
	return problems
}

// imports rejects a module that the smoke tests import and nothing provides. Builds and git
// trees provide modules that are unknown before; with any of those, it is only noted.
func (o Options) imports(r Request, a answer, there inventory) error {
	known := map[string]bool{}
	for _, name := range there.Modules {
		known[name] = true
	}
	isBuilt := len(r.Sources) > 0 || r.Trees
	for _, d := range a.Distributions {
		isBuilt = isBuilt || d.wheel == nil
		if d.wheel == nil {
			known[strings.ReplaceAll(d.Name, "-", "_")] = true
			continue
		}
		for _, top := range d.wheel.Top {
			module, _, _ := strings.Cut(top, ".")
			known[module] = true
			isBuilt = isBuilt || strings.HasSuffix(top, ".pth") // which may add directories
		}
	}
	var problems []error
	for _, name := range r.Imports {
		module, _, _ := strings.Cut(name, ".")
		if known[module] {
			continue
		}
		err := fmt.Errorf("%s: [smoke] imports %s, but no installed package provides it", r.Set, name)
		if isBuilt {
			o.Note(err.Error() + ", unless something that is built, a git tree or PYTHONPATH does")
			continue
		}
		hint := fmt.Sprintf("add %s to the requirements, or correct the name", projectOf(name))
		if r.Project != "" {
			hint += fmt.Sprintf("; a project installs its dependencies, and itself only with sources = [%q]", r.Project)
		}
		problems = append(problems, failure.WithHint(err, hint))
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

type owner struct {
	member
	dist *distribution
}

func clash(r Request, asked []string, pair [2]*distribution, files []string) error {
	slices.Sort(files)
	more := ""
	if len(files) > 1 {
		more = " and " + humanize.Count(len(files)-1, "more file")
	}
	err := failure.New(failure.Usage, fmt.Errorf("%s: %s and %s both hold %s%s, with different content", r.Set, pair[0].title(), pair[1].title(), files[0], more))
	drop := pair[1].Name
	if slices.Contains(asked, drop) && !slices.Contains(asked, pair[0].Name) {
		drop = pair[0].Name
	}
	return failure.WithHint(err, fmt.Sprintf(
		"exclude one of them, as with excludes = [%q] under [python], or allow harmless clashes: collisions = [\"GLOB\"]", drop,
	))
}

// shadowing rejects a script that would run in place of Debian's program, which Debian's
// scripts call, too.
func shadowing(r Request, d *distribution, m member, there inventory) error {
	name, ok := strings.CutPrefix(m.Target, outside+"bin/")
	if _, debians := there.Image[d.Name]; !ok || debians || !slices.Contains(there.Programs, name) {
		return nil
	}
	err := failure.New(failure.Usage, fmt.Errorf("%s: the script bin/%s of %s would run in place of Debian's program %s", r.Set, name, d.title(), name))
	return failure.WithHint(err, fmt.Sprintf("collisions = [\"bin/%s\"] under [python] would allow that", name))
}

// tellTwice notes the projects that come from both an index and Debian.
func (o Options) tellTwice(r Request, a answer, there inventory) {
	var twice []string
	for _, d := range a.Distributions {
		if version, ok := there.Image[d.Name]; ok {
			twice = append(twice, fmt.Sprintf("%s (%s, and Debian's %s)", d.Name, d.Version, version))
		}
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		o.Note(fmt.Sprintf("%s: in the image twice, from an index and from Debian: %s", r.Set, strings.Join(twice, ", ")))
	}
}

// family has projects that install a package of the same name. Of two in an image, the
// earlier one is to be kept: it does more, or is still maintained.
type family struct {
	pkg      string
	projects []string
}

// families lists those known to be combined by mistake.
func families() []family {
	return []family{
		{"onnxruntime", []string{
			"onnxruntime-gpu", "onnxruntime-training", "onnxruntime-openvino", "onnxruntime-directml",
			"onnxruntime-rocm", "onnxruntime-qnn", "onnxruntime",
		}},
		{"onnxruntime_genai", []string{"onnxruntime-genai-cuda", "onnxruntime-genai-directml", "onnxruntime-genai"}},
		{"cv2", []string{
			"opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python-headless", "opencv-python",
		}},
		{"tensorflow", []string{"tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tensorflow-gpu", "tf-nightly", "tf-nightly-cpu"}},
		{"triton", []string{"triton", "pytorch-triton", "pytorch-triton-rocm"}},
		{"faiss", []string{"faiss-gpu-cu12", "faiss-gpu-cu11", "faiss-gpu", "faiss-cpu"}},
		{"cupy", []string{"cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy"}},
		{"paddle", []string{"paddlepaddle-gpu", "paddlepaddle"}},
		{"xgboost", []string{"xgboost", "xgboost-cpu"}},
		{"onnx", []string{"onnx", "onnx-weekly"}},
		{"PIL", []string{"pillow", "pillow-simd"}},
		{"psycopg2", []string{"psycopg2", "psycopg2-binary"}},
		{"pyspark", []string{"databricks-connect", "pyspark"}},
		{"kafka", []string{"kafka-python", "kafka-python-ng"}},
		{"ffmpeg", []string{"ffmpeg-python", "python-ffmpeg"}},
		{"Crypto", []string{"pycryptodome", "pycrypto"}},
		{"bson", []string{"pymongo", "bson"}},
		{"jwt", []string{"pyjwt", "jwt"}},
		{"serial", []string{"pyserial", "serial"}},
		{"fitz", []string{"pymupdf", "fitz"}},
	}
}

// enemies reports the pairs of projects that must never be installed together, since uv lets
// both write the same files. The result does not depend on the order of projects. It
// suggests leaving out the one that is not requested.
func enemies(projects, asked []string) (errs []error) {
	for _, f := range families() {
		met := slices.DeleteFunc(f.projects, func(p string) bool { return !slices.Contains(projects, p) })
		for i, keep := range met {
			for _, drop := range met[i+1:] {
				if slices.Contains(asked, drop) && !slices.Contains(asked, keep) {
					keep, drop = drop, keep
				}
				err := fmt.Errorf("%s and %s both install the package %q and overwrite each other", min(keep, drop), max(keep, drop), f.pkg)
				errs = append(errs, failure.WithHint(err, fmt.Sprintf("write excludes = [%q] under [python] to leave one out everywhere", drop)))
			}
		}
	}
	return errs
}

// areEnemies reports whether two projects are of one family.
func areEnemies(a, b string) bool {
	return slices.ContainsFunc(families(), func(f family) bool { return slices.Contains(f.projects, a) && slices.Contains(f.projects, b) })
}
