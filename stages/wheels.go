package stages

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/llb"
	"lamina.build/lock"
)

// wheels returns the layers of Python packages, those that change least first: locked wheels,
// then a layer for each sdist, git tree and source tree that the builder compiles.
func (d drawing) wheels() []Part {
	var parts []Part
	uv := d.uv()
	add := func(l Layer, w llb.Wheels, sdist *llb.State) {
		w.UV, w.Collisions = uv, d.Python.Collisions
		p := part("wheels", w.On(d.root), l)
		p.Optional = w.Optional
		parts = append(parts, p.checked(llb.LayerCheck{
			Name: w.Name, Wheels: w.Files, Sdist: sdist,
			// A program in sbin would hide any other of the same name.
			Places: []string{"/usr/local"}, Apart: []string{"/usr/local/sbin"},
		}))
	}
	groups, _ := d.groups()
	for _, g := range groups {
		add(g.layer(), llb.Wheels{Name: g.name, Files: d.files(g.wheels), Prune: rulesFor(d.Python.Prune, g.wheels)}, nil)
	}
	for _, s := range d.sdists() {
		build := d.build(s)
		wheel := build.On(d.root)
		var sdist *llb.State
		if build.Archive != "" {
			sdist = &build.Source
		}
		add(Layer{What: title(s), Fetched: s.Size}, llb.Wheels{Name: title(s), Built: &wheel, Prune: d.Python.Prune, Optional: build.Optional}, sdist)
	}
	// Nothing is pruned from the project's own trees: what they install is intended.
	for _, s := range d.Sources {
		wheel := llb.WheelBuild{
			Name: s.Layer.Name, Source: llb.Packed(s.Layer), Environment: d.environment(s.Project),
		}.On(d.root)
		add(Layer{What: s.Layer.Name}, llb.Wheels{Name: s.Layer.Name, Built: &wheel}, nil)
	}
	return parts
}

// build returns the compilation of an sdist or a git tree, with exactly what is locked for it.
func (d drawing) build(s lock.Distribution) llb.WheelBuild {
	b := llb.WheelBuild{
		Name: title(s), Archive: s.File, Project: s.Name, Version: s.Version, Optional: slices.Contains(d.Python.Optional, s.Name),
		Environment: d.environment(s.Name),
	}
	if remote, commit, dir, ok := s.Git(); ok {
		b.Source, b.Dir = llb.Git(remote, commit), dir
		return b
	}
	b.Source = d.file(s)
	_, b.Dir = s.Archive()
	return b
}

// environment returns what a project is built with; nil, for what the builder has, if nothing
// is locked for that.
func (d drawing) environment(project string) *llb.State {
	wheels := d.Lock.BuildIn(project, d.Variant)
	if len(wheels) == 0 {
		return nil
	}
	env := llb.Wheels{Name: "what " + project + " is built with", UV: d.uv(), Files: d.files(wheels), Here: true}.On(d.root)
	return &env
}

// uv returns the installer of wheels; nil if nothing from an index is locked.
func (d drawing) uv() *llb.State {
	tool := d.Lock.UV
	if tool.SHA256 == "" {
		return nil
	}
	uv := llb.UV{Wheel: llb.File{From: d.fetch(tool.URL, tool.SHA256, tool.File), Path: "/" + tool.File}}.On(d.root)
	return &uv
}

func (in Input) files(list []lock.Distribution) []llb.File {
	files := make([]llb.File, len(list))
	for i, d := range list {
		files[i] = llb.File{From: in.file(d), Path: "/" + d.File}
	}
	return files
}

// file returns a state with a locked file at its root.
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

// rulesFor returns the globs that may match a file of some wheels, in order. A glob that begins
// with a name applies to wheels that have it below site-packages, if that is known: another
// glob for a small wheel doesn't install gigabytes of others again.
func rulesFor(globs []string, wheels []lock.Distribution) []string {
	// Directories of /usr/local, where wheels may have files, too.
	directories := []string{"bin", "etc", "games", "include", "lib", "libexec", "man", "sbin", "share", "src", "var"}
	var rules []string
	for _, glob := range globs {
		first, _, _ := strings.Cut(strings.TrimPrefix(glob, "!"), "/")
		has := func(d lock.Distribution) bool { return len(d.Top) == 0 || slices.Contains(d.Top, first) }
		if strings.ContainsAny(first, "*?") || slices.Contains(directories, first) || slices.ContainsFunc(wheels, has) {
			rules = append(rules, glob)
		}
	}
	return rules
}
