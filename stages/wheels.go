package stages

import (
	"cmp"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"

	"lamina.build/cache"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Python is what a spec says of Python packages beside what to install.
type Python struct {
	Prune      []string             // globs of files of locked packages that stay out, in order; a leading ! takes back
	Optional   []string             // projects that are left out where they can't be built
	Excludes   []string             // projects that are left out wherever they are asked for
	Overridden []string             // projects of which the spec decides, whatever others require
	Collisions []string             // globs of files that two packages may both have
	Files      map[string]llb.Layer // the files that lie beside the spec, by their paths; each at the root of its layer
	URLs       map[string]string    // where a file is now, by its SHA-256, if that is not where the lock says
}

// Source is a Python source tree to compile.
type Source struct {
	Layer   llb.Layer // the tree at its root
	Project string    // what the lock calls it: the normalised name of its folder
}

// Wheels are the layers of Python packages, those that change least first:
// locked wheels, then what is compiled in the builder from sdists, git trees
// and source trees, a layer for each.
func Wheels(in Input, builder llb.State) []Part {
	var parts []Part
	uv := in.uv(builder)
	add := func(what string, size Bytes, w llb.Wheels) {
		w.UV, w.Collisions = uv, in.Python.Collisions
		parts = append(parts, Part{Stage: "wheels", What: what, State: w.Layer(builder), Bytes: size})
	}
	groups, _ := PlanWheels(in.Wheels(), in.WheelLimit())
	for _, g := range groups {
		add(g.what(), g.bytes(), llb.Wheels{Name: g.Name, Files: in.files(g.Wheels), Prune: rulesFor(in.Python.Prune, g.Wheels)})
	}
	for _, d := range in.Sdists() {
		optional := in.optional(d)
		wheel := in.build(d, builder).On(builder)
		add(title(d), Bytes{Fetched: d.Size}, llb.Wheels{Name: title(d), Built: &wheel, Prune: in.Python.Prune, Optional: optional})
	}
	// What a tree of the project's own installs is what its author wants there.
	for _, s := range in.Sources {
		wheel := llb.WheelBuild{
			Name: s.Layer.Name, Source: llb.Packed(s.Layer),
			Environment: in.environment(s.Project, builder), Caches: in.caches(),
		}.On(builder)
		add(s.Layer.Name, Bytes{}, llb.Wheels{Name: s.Layer.Name, Built: &wheel})
	}
	return parts
}

// Wheels are the locked files that need no building.
func (in Input) Wheels() []lock.Distribution {
	return slices.DeleteFunc(in.Lock.PythonIn(in.Variant), func(d lock.Distribution) bool { return !d.IsWheel() })
}

// Sdists are the locked files and git trees that are built.
func (in Input) Sdists() []lock.Distribution {
	return slices.DeleteFunc(in.Lock.PythonIn(in.Variant), lock.Distribution.IsWheel)
}

// WheelLimit is how many layers are left for locked wheels, see [PlanWheels].
func (in Input) WheelLimit() int { return WheelLayers - len(in.Sdists()) - len(in.Sources) }

func (in Input) optional(d lock.Distribution) bool {
	return slices.Contains(in.Python.Optional, d.Name)
}

// build is the compilation of an sdist or a git tree, with exactly what is
// locked for it.
func (in Input) build(d lock.Distribution, builder llb.State) llb.WheelBuild {
	b := llb.WheelBuild{
		Name: title(d), Archive: d.File, Project: d.Name, Version: d.Version, Optional: in.optional(d),
		Environment: in.environment(d.Name, builder), Caches: in.caches(),
	}
	if remote, commit, dir, ok := d.Git(); ok {
		b.Source, b.Dir = llb.Git(remote, commit), dir
		return b
	}
	b.Source = in.file(d)
	_, b.Dir = d.Archive()
	return b
}

// environment is what a project is built with; nil where nothing is locked
// for that, so that it is what the builder has.
func (in Input) environment(project string, builder llb.State) *llb.State {
	wheels := in.Lock.BuildIn(project, in.Variant)
	if len(wheels) == 0 {
		return nil
	}
	env := llb.Wheels{Name: "what " + project + " is built with", UV: in.uv(builder), Files: in.files(wheels)}.Layer(builder)
	return &env
}

func (in Input) files(list []lock.Distribution) []llb.File {
	files := make([]llb.File, len(list))
	for i, d := range list {
		files[i] = llb.File{From: in.file(d), Path: "/" + d.File}
	}
	return files
}

// file is a state with a locked file at its root.
func (in Input) file(d lock.Distribution) llb.State {
	if local, ok := d.Local(); ok {
		return llb.Packed(in.Python.Files[local])
	}
	address, _ := d.Archive()
	return in.fetch(address, d.SHA256, d.File)
}

func (in Input) fetch(url, sum, file string) llb.State {
	url = cmp.Or(in.Python.URLs[sum], url)
	return llb.Fetch(url, digest.NewDigestFromEncoded(digest.SHA256, sum), path.Base(file))
}

// uv is what installs wheels; nil where nothing of an index is locked.
func (in Input) uv(builder llb.State) *llb.State {
	tool := in.Lock.UV
	if tool.SHA256 == "" {
		return nil
	}
	uv := llb.UV(llb.File{From: in.fetch(tool.URL, tool.SHA256, tool.File), Path: "/" + tool.File}, builder)
	return &uv
}

func (in Input) caches() []bkllb.RunOption {
	return []bkllb.RunOption{cache.CCache(in.namespace()).Option()}
}

func (in Input) namespace() cache.Namespace {
	return cache.Namespace{Distribution: in.Lock.Suites[0], Platform: in.Lock.Platform}
}

// Probe is a layer that may turn out to be empty.
type Probe struct {
	Name  string
	State llb.State
}

// probes are the layers of what is optional, among the parts of an image.
func (in Input) probes(wheels []Part) []Probe {
	var probes []Probe
	for _, d := range in.Sdists() {
		i := slices.IndexFunc(wheels, func(p Part) bool { return p.What == title(d) })
		if in.optional(d) && i >= 0 {
			probes = append(probes, Probe{Name: title(d), State: wheels[i].State})
		}
	}
	return probes
}
