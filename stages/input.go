package stages

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
	"lamina.build/lock"
)

// Input is everything that an image is made of.
type Input struct {
	Name     string // of the image: "faceblend"
	Title    string
	Version  string
	Licenses string            // SPDX expression
	Labels   map[string]string // further ones, which override those of the three above
	Variant  string            // "production", "minimal", "debug" or the user's own
	Platform ocispec.Platform

	Lock    lock.Lock
	Mirrors llb.Mirrors // one for each repository of the lock
	Tools   llb.Layer   // busybox and libeatmydata.so at its root
	Exclude llb.Exclude // what the runtime leaves out
	Keep    llb.Exclude // the private keys that may be in a layer
	Debconf []string    // answers to the packages' debconf questions
	Apart   bool        // the packages that the variant adds remove files of the runtime: both are in one layer

	Python  Python
	Sources []Source // Python source trees to compile
	Trees   []llb.Tree
	Models  []Model
	App     *App // nil if the image has no app
	Smoke   Smoke

	Healthcheck *dockerspec.HealthcheckConfig // nil if containers have no check
	Volumes     []string                      // directories that are volumes of each container
}

// Python is what a spec says about Python packages besides what to install.
type Python struct {
	Prune      []string             // globs of files of locked packages to leave out, in order; a leading ! includes again
	Optional   []string             // projects to leave out if they can't be built
	Excludes   []string             // projects to leave out wherever they are required
	Overridden []string             // projects that the spec decides on, whatever others require
	Collisions []string             // globs of files that two packages may both have
	Asked      []string             // projects with extras, "a[b]", that require all the others; nil if unknown
	Files      map[string]llb.Layer // the files next to the spec, by path; each at the root of its layer
	URLs       map[string]string    // the URLs of files, by SHA-256, that differ from the lock's
}

// Source is a Python source tree to compile.
type Source struct {
	Layer   llb.Layer // the tree at its root
	Project string    // its name in the lock: the normalised name of its directory

	Distribution, Version string // from its pyproject.toml; "" if that leaves them to the backend
}

// Model is a model's files and their path at run time.
type Model struct {
	Name    string    // "" for a single unnamed one
	Path    string    // absolute: the value of MODEL_PATH
	Weights []Weights // none if the image has no weights

	// Locked is the lock's entry, even if the image has no weights: an app that fetches them
	// at run time finds the list of their files in the image. It is nil for a model that is
	// a directory next to the spec.
	Locked *lock.Model
}

// Weights are layers of a model, and the state that has them.
type Weights struct {
	State  llb.State
	Layers []llb.Layer // with their names, sizes and paths at least
}

// Layers returns all layers of the model.
func (m Model) Layers() (layers []llb.Layer) {
	for _, w := range m.Weights {
		layers = append(layers, w.Layers...)
	}
	return layers
}

// App is what the container runs.
type App struct {
	Layer      llb.Layer // the zero value if the app consists only of packages
	Path       string    // absolute: the app's directory in the layer
	User       llb.User
	Workdir    string
	Entrypoint []string
	Command    []string
	Env        map[string]string
	Ports      []int
	StopSignal string
	FirstStart bool // before the app starts, root makes what packages make for one machine
}

// brings reports whether the app has its own layer.
func (a *App) brings() bool { return a != nil && a.Layer.Image != "" }

// Smoke says what must work before an image is exported.
type Smoke struct {
	Level        Level
	Imports      []string   // Python modules
	Run          [][]string // commands of the app, run as its user
	GPU          [][]string // more commands, run where there are Devices
	ELFIgnore    []string   // sonames that may be missing, and globs of files whose libraries may be
	NeedsWeights bool       // the commands read the model's files
	Devices      []string   // the engine's NVIDIA devices to run GPU on, by CDI name
}

// Level is how much of the smoke tests runs.
type Level string

// The levels: everything; what needs no app, so that a change of the app runs nothing; nothing.
const (
	SmokeAll     Level = "all"
	SmokeRuntime Level = "runtime"
	SmokeOff     Level = "off"
)

// check reports every reason why in is not enough for an image.
func (in Input) check() error {
	problems := []error{in.checkDebian(lock.SetBase, lock.SetRuntime, lock.SetBuilder)}
	for _, d := range in.Lock.PythonIn(in.Variant) {
		if local, ok := d.Local(); ok && in.Python.Files[local].Image == "" {
			problems = append(problems, fmt.Errorf("the file %q of %s is missing", local, d.Name))
		}
	}
	return errors.Join(problems...)
}

// checkDebian reports why in is not enough for root file systems of sets of packages.
func (in Input) checkDebian(sets ...lock.Kind) error {
	var problems []error
	for _, set := range sets {
		if len(in.Lock.In(set, in.Variant)) == 0 {
			problems = append(problems, fmt.Errorf("the lock has no packages for %s", set))
		}
	}
	for _, p := range in.Lock.Packages {
		if in.Mirrors[p.Repository] == "" {
			problems = append(problems, fmt.Errorf("no mirror serves repository %q", p.Repository))
			break
		}
	}
	if in.Tools.Image == "" {
		problems = append(problems, errors.New("the tools that unpack the base are missing"))
	}
	return errors.Join(problems...)
}

// Pinned returns the sources that lock and spec name, and the local trees, each by its digest:
// an engine may use no others.
func (in Input) Pinned() (list []llb.State) {
	add := func(layers ...llb.Layer) {
		for _, l := range layers {
			if l.Image != "" {
				list = append(list, llb.Packed(l))
			}
		}
	}
	add(in.Tools)
	for _, p := range in.Lock.Packages {
		list = append(list, in.Mirrors.Deb(p))
	}
	for _, d := range in.Lock.Distributions {
		if remote, commit, _, ok := d.Git(); ok {
			list = append(list, llb.Git(remote, commit))
		} else if _, local := d.Local(); !local {
			list = append(list, in.file(d))
		}
	}
	if in.Lock.UV.SHA256 != "" {
		list = append(list, in.file(in.Lock.UV.Wheel()))
	}
	for _, t := range in.Trees {
		list = append(list, llb.Git(t.Remote, t.Commit))
	}
	add(slices.Collect(maps.Values(in.Python.Files))...)
	for _, s := range in.Sources {
		add(s.Layer)
	}
	for _, m := range in.Models {
		for _, w := range m.Weights {
			list = append(list, w.State)
		}
	}
	if in.App != nil {
		add(in.App.Layer)
	}
	return list
}

// hasPython reports whether the image has Python packages that are not Debian's.
func (in Input) hasPython() bool {
	return len(in.Sources) > 0 || len(in.Lock.PythonIn(in.Variant)) > 0
}

// WithoutWeights returns in without the layers of its models and without the smoke tests that
// read them.
func (in Input) WithoutWeights() Input {
	models := make([]Model, len(in.Models))
	for i, m := range in.Models {
		models[i] = Model{Name: m.Name, Path: m.Path, Locked: m.Locked}
	}
	in.Models = models
	if in.needsWeights() {
		in.Smoke.Level = SmokeRuntime
	}
	return in
}
