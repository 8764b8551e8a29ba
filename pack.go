package lamina

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/beneath"
	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// footing returns the part of the input that draws the builder and the runtime of a lock,
// before there is an image: for resolving Python requirements.
func (j job) footing(ctx context.Context, mirrors debian.Mirrors) (in stages.Input, err error) {
	in = j.ground(mirrors)
	in.Tools, err = j.tools(ctx, mirrors)
	return in, err
}

// ground returns the input for builder and runtime that lock and spec determine.
func (j job) ground(mirrors debian.Mirrors) stages.Input {
	in := stages.Input{
		Variant: j.spec.Variant, Platform: j.platform(), Lock: j.lock, Mirrors: llb.Mirrors(mirrors),
		Exclude: j.spec.Debian.Exclude, Keep: j.spec.Debian.Keep, Debconf: j.spec.Debian.Debconf,
	}
	if !j.spec.App.IsZero() {
		in.App = &stages.App{User: llb.User(j.spec.App.User), FirstStart: j.spec.App.FirstStart}
	}
	return in
}

// checkDebconf rejects answers to questions of packages that aren't locked.
func (j job) checkDebconf() error {
	var problems []error
	for _, answer := range j.spec.Debian.Debconf {
		owner, _, _ := strings.Cut(answer, " ")
		if _, ok := lock.Find(j.lock.Packages, owner); !ok {
			place := j.file.Places(j.spec.Variant)["debconf "+answer]
			problems = append(problems, fmt.Errorf("%s: debconf: no package %q is locked, so nothing asks this question", place, owner))
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

// platform returns the image's platform, which was checked with the spec.
func (j job) platform() ocispec.Platform { return platforms.MustParse(j.on) }

// pack packs all local files and returns the input of the stages. models are the models
// of the spec; the locked ones have their layers. It reports the problems of all trees at
// once.
func (j job) pack(ctx context.Context, mirrors debian.Mirrors, models []stages.Model, gpus []string) (stages.Input, error) {
	s := j.spec
	in, toolsErr := j.footing(ctx, mirrors)
	sources, sourcesErr := j.packSources(ctx)
	files, filesErr := j.packFiles(ctx)
	app, appErr := j.packApp(ctx)
	decided := j.requirements.Decided[s.Variant]
	in.Name, in.Title, in.Version, in.Licenses = s.Name, s.Title, s.Version, s.Licenses
	in.Labels, in.Healthcheck, in.Volumes = j.labels(), healthcheck(s.App.Healthcheck), s.App.Volumes
	in.Python = stages.Python{
		Prune: s.Python.Prune, Optional: s.Python.Optional, Excludes: decided.Excluded, Overridden: decided.Overridden,
		Collisions: s.Python.Collisions, Asked: decided.Asked, Files: files, URLs: j.python.Mirror.Has,
	}
	for _, g := range s.Git {
		in.Trees = append(in.Trees, llb.Tree{Remote: g.URL, Commit: g.Commit, Subdir: g.Subdir, Exclude: g.Exclude, Path: g.Path})
	}
	in.Sources, in.App, in.Models = sources, app, models
	in.Smoke = stages.Smoke{
		Level: j.Smoke, Imports: s.Smoke.Imports, Run: s.Smoke.Run, GPU: s.Smoke.GPU,
		ELFIgnore: s.Smoke.ELFIgnore, NeedsWeights: s.Smoke.NeedsWeights, Devices: gpus,
	}
	if n := in.JoinedWheels(); n > 0 {
		j.note("%d wheels of 100 MB or more share a layer: an image can't have a layer for each", n)
	}
	for _, v := range s.App.Volumes {
		for _, m := range s.Models {
			if j.hasWeights() && strings.HasPrefix(m.Path+"/", v+"/") {
				j.note("volume %q holds the model at %s: docker and podman copy it for each container", v, m.Path)
			}
		}
	}
	modelsErr := j.packModels(ctx, in.Models, in.ModelLayers())
	if err := errors.Join(inputError(errors.Join(sourcesErr, filesErr, appErr, modelsErr)), toolsErr); err != nil {
		return stages.Input{}, err
	}
	if cost := in.TestedWeights(); cost > 0 {
		j.note("smoke tests read the weights: the engine loads and unpacks %s of them", humanize.Size(cost))
	}
	made, directories := in.Known()
	return in, failure.New(failure.Usage, layers.Check(in.Layers(), made, directories))
}

// inputError marks an error that is due to the user's trees and not to packing them.
func inputError(err error) error {
	_, entry := errors.AsType[*layers.EntryError](err)
	_, pattern := errors.AsType[*layers.PatternError](err)
	if entry || pattern || errors.Is(err, layers.ErrEmpty) {
		return failure.New(failure.Usage, err)
	}
	return err
}

// packSources packs the Python source trees, each at the root of its layer.
func (j job) packSources(ctx context.Context) ([]stages.Source, error) {
	dirs := j.spec.Python.Sources
	sources, problems := make([]stages.Source, len(dirs)), make([]error, len(dirs))
	for i, dir := range dirs {
		sources[i].Project = j.spec.Python.SourceName(dir)
		sources[i].Distribution, sources[i].Version = j.distributionIn(dir)
		// The check of the layer that is built from it looks for keys.
		sources[i].Layer, problems[i] = j.packTree(ctx, dir, "/", layers.AllKeys(), j.besides(dir)...)
	}
	return sources, errors.Join(problems...)
}

// maxPyproject bounds the size of a pyproject.toml, in bytes.
const maxPyproject = 4 << 20

// distributionIn returns the name and version in a source tree's pyproject.toml, if any.
// uv reports what is wrong with that file.
func (j job) distributionIn(dir string) (name, version string) {
	data, err := beneath.ReadAtMost(j.tree(), path.Join(dir, "pyproject.toml"), maxPyproject)
	var p struct {
		Project struct{ Name, Version string }
	}
	if err != nil || toml.Unmarshal(data, &p) != nil {
		return "", ""
	}
	return p.Project.Name, p.Project.Version
}

// sourceTrees returns the packed source trees by directory.
func (j job) sourceTrees(ctx context.Context) (map[string]llb.Layer, error) {
	sources, err := j.packSources(ctx)
	trees := map[string]llb.Layer{}
	for i, dir := range j.spec.Python.Sources {
		trees[dir] = sources[i].Layer
	}
	return trees, inputError(err)
}

// besides lists what to leave out of a source tree that is the spec's own directory: the
// spec, its lock, outputs of builds, weights and environments. None of it is part of a
// wheel, and each would change the tree's digest.
func (j job) besides(dir string) []string {
	if dir != "." {
		return nil
	}
	list := []string{spec.FileName, LockName, "dist", ".venv"}
	for _, m := range j.spec.Models {
		if weights, local := m.Local(); local && weights != "." {
			list = append(list, weights)
		}
	}
	return list
}

// packFiles packs the wheels and sdists next to the spec, each at the root of a layer,
// and compares them with the lock.
func (j job) packFiles(ctx context.Context) (map[string]llb.Layer, error) {
	files := map[string]llb.Layer{}
	var problems []error
	for _, d := range j.lock.Distributions {
		if name, ok := d.Local(); ok && files[name].Image == "" {
			var err error
			files[name], err = j.packFile(ctx, name, d)
			problems = append(problems, err)
		}
	}
	return files, errors.Join(problems...)
}

func (j job) packFile(ctx context.Context, name string, d lock.Distribution) (llb.Layer, error) {
	data, err := beneath.ReadAtMost(j.tree(), name, d.Size)
	if larger, ok := errors.AsType[*beneath.SizeError](err); ok {
		return llb.Layer{}, notLocked("%q is not the file that was locked: it has more than %d bytes", name, larger.Limit)
	}
	if err != nil {
		return llb.Layer{}, fmt.Errorf("reading %s %s: %w", d.Name, d.Version, err)
	}
	if got := digest.FromBytes(data).Encoded(); got != d.SHA256 {
		return llb.Layer{}, notLocked("%q is not the file that was locked: its sha256 is %s, the lock has %s", name, got, d.SHA256)
	}
	return layers.File(ctx, j.store, layers.FileOptions{
		Name: d.File, Target: "/" + d.File, Data: data, Compression: layers.Uncompressed, Platform: j.platform(),
	})
}

// notLocked returns the error for a file next to the spec that differs from the lock.
func notLocked(format string, args ...any) error {
	return failure.WithHint(failure.New(failure.Findings, fmt.Errorf(format, args...)), "run \"build lock\" to lock it as it is now")
}

func (j job) packApp(ctx context.Context) (*stages.App, error) {
	a := j.spec.App
	if a.IsZero() {
		return nil, nil
	}
	app := &stages.App{
		Path: a.Path, User: llb.User(a.User), Workdir: a.Workdir,
		Entrypoint: a.Entrypoint, Command: a.Command, Env: a.Env, Ports: a.Ports, StopSignal: a.StopSignal, FirstStart: a.FirstStart,
	}
	if a.Source == "" { // the app is in packages
		return app, nil
	}
	var made []string
	if a.Source == "." { // with the outputs of builds it would grow with each build
		made = []string{LockName, path.Join("dist", j.spec.Name)}
	}
	layer, err := j.packTree(ctx, a.Source, a.Path, j.spec.Debian.Keep, made...)
	if err != nil {
		return nil, err
	}
	layer.Name = "app"
	app.Layer = layer
	return app, nil
}

// maxIgnore bounds the size of a .dockerignore, in bytes.
const maxIgnore = 1 << 20

// variables are the files of environment variables, whose values are often secrets. These
// lines precede those of a .dockerignore, where "!.env" packs one all the same.
const variables = "**/.env\n**/.env.*\n"

// packTree packs a directory, except what its use leaves there. Messages call it by its
// name, and the spec's own directory by the image's name.
func (j job) packTree(ctx context.Context, dir, target string, keep llb.Exclude, exclude ...string) (llb.Layer, error) {
	tree, err := fs.Sub(j.tree(), dir)
	if err != nil {
		return llb.Layer{}, fmt.Errorf("opening %q: %w", dir, err)
	}
	ignore, err := beneath.ReadAtMost(j.tree(), path.Join(dir, ".dockerignore"), maxIgnore)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return llb.Layer{}, err
	}
	name := path.Base(dir)
	if dir == "." {
		name = j.spec.Name
	}
	leftOut := func(file string) {
		base := path.Base(file)
		if (base == ".env" || strings.HasPrefix(base, ".env.")) && !bytes.Contains(ignore, []byte(".env")) {
			j.note("%q is left out of %s, since it may hold secrets: \"!%s\" in its .dockerignore includes it", file, name, file)
		}
	}
	return layers.Tree(ctx, j.store, layers.TreeOptions{
		Name: name, FS: tree, Target: target, Keep: keep, Ignore: append([]byte(variables), bytes.TrimPrefix(ignore, []byte("\ufeff"))...), Platform: j.platform(),
		LeftOut: leftOut, Exclude: append([]string{".dockerignore", "**/__pycache__", "**/.git"}, exclude...),
	})
}

// packModels packs the weights of models that are directories, unless the variant has no
// weights: the image then still names their paths.
func (j job) packModels(ctx context.Context, models []stages.Model, limit int) error {
	var problems []error
	for i, m := range j.spec.Models {
		dir, local := m.Local()
		if !local || !j.hasWeights() {
			continue
		}
		tree, err := fs.Sub(j.tree(), dir)
		if err != nil {
			problems = append(problems, fmt.Errorf("opening %q: %w", dir, err))
			continue
		}
		packed, err := layers.Weights(ctx, j.store, layers.WeightsOptions{
			Name: path.Base(dir), FS: tree, Target: m.Path, Include: m.Include, Exclude: m.Exclude, Rename: m.Rename, Keep: j.spec.Debian.Keep,
			Limit: limit, Platform: j.platform(), Note: j.line,
		})
		for _, l := range packed {
			models[i].Weights = append(models[i].Weights, stages.Weights{State: llb.Packed(l), Layers: []llb.Layer{l}})
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
