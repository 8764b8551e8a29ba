// Package prepare turns a spec, its lock and the local trees beside it into the
// input of the stages: it packs the trees as layers, unpacks the two tools that
// assemble a base, and checks that the layers fit together.
package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/internal/report"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// Options are what an image is prepared from.
type Options struct {
	Root                 fs.FS // the folder of the image.toml, of an [os.Root]
	Spec                 spec.Spec
	Lock                 lock.Lock
	Mirrors              debian.Mirrors
	Getter               *debian.Getter
	Store                content.Store  // where the layers go
	ToolsDir             string         // where the unpacked tools are kept
	Excluded, Overridden []string       // projects of which the user decides, whatever others require
	Models               []stages.Model // as many as the spec has; those that were locked have their layers
	Level                stages.Level
	Device               bool         // the engine has an NVIDIA device
	Note                 func(string) // is told what the user should know
}

// Input packs all that is local and returns what the stages need. The faults
// of all trees are reported at once.
func Input(ctx context.Context, o Options) (stages.Input, error) {
	platform, err := platforms.Parse(o.Spec.Platform)
	if err != nil {
		return stages.Input{}, fmt.Errorf("reading platform %q: %w", o.Spec.Platform, err)
	}
	p := packer{Options: o, platform: platform}
	sources, sourcesErr := p.sources(ctx)
	files, filesErr := p.files(ctx)
	app, appErr := p.app(ctx)
	tools, toolsErr := p.tools(ctx)
	in := stages.Input{
		Name: o.Spec.Name, Title: o.Spec.Title, Version: o.Spec.Version, Licenses: o.Spec.Licenses,
		Variant: o.Spec.Variant, Platform: platform,
		Lock: o.Lock, Mirrors: llb.Mirrors(o.Mirrors), Tools: tools, Exclude: o.Spec.Debian.Exclude,
		Python: stages.Python{
			Prune: o.Spec.Python.Prune, Optional: o.Spec.Python.Optional,
			Excludes: o.Excluded, Overridden: o.Overridden,
			Collisions: o.Spec.Python.Collisions, Files: files,
		},
		Sources: sources, Trees: trees(o.Spec.Git), App: app,
		Smoke: stages.Smoke{
			Level: o.Level, Imports: o.Spec.Smoke.Imports, Run: o.Spec.Smoke.Run, GPU: o.Spec.Smoke.GPU,
			ELFIgnore: o.Spec.Smoke.ELFIgnore, NeedsWeights: o.Spec.Smoke.NeedsWeights, Device: o.Device,
		},
	}
	if _, joined := stages.PlanWheels(in.Wheels(), in.WheelLimit()); joined > 0 && o.Note != nil {
		o.Note(fmt.Sprintf("%d wheels of 100 MB and more share a layer: an image may not have a layer for each", joined))
	}
	p.limit = layers.MaxLayers - others(in) - len(in.Trees) - lists(o) - 1 // the app's
	for _, m := range o.Models {
		p.limit -= len(m.All())
	}
	var modelsErr error
	in.Models, modelsErr = p.models(ctx)
	if err = errors.Join(blame(errors.Join(sourcesErr, filesErr, appErr, modelsErr)), toolsErr); err != nil {
		return stages.Input{}, err
	}
	if cost := weighed(in); cost > 0 && o.Note != nil {
		o.Note(fmt.Sprintf("smoke tests read the weights: the engine loads and unpacks %s of them", report.Size(cost)))
	}
	return in, checkLayers(in)
}

// weighed is how many bytes of weights the smoke tests pull, which nothing else does.
func weighed(in stages.Input) (size int64) {
	if !in.Smoke.NeedsWeights || in.Smoke.Level != stages.SmokeAll {
		return 0
	}
	for _, m := range in.Models {
		for _, l := range m.All() {
			size += l.Size
		}
	}
	return size
}

// Builder returns the part of the input that draws the builder and the runtime of
// a lock: where Python requirements are resolved, there is no image yet.
func Builder(ctx context.Context, o Options) (stages.Input, error) {
	platform, err := platforms.Parse(o.Spec.Platform)
	if err != nil {
		return stages.Input{}, fmt.Errorf("reading platform %q: %w", o.Spec.Platform, err)
	}
	p := packer{Options: o, platform: platform}
	tools, err := p.tools(ctx)
	in := stages.Input{
		Variant: o.Spec.Variant, Platform: platform, Lock: o.Lock, Mirrors: llb.Mirrors(o.Mirrors), Tools: tools,
		Exclude: o.Spec.Debian.Exclude,
	}
	if a := o.Spec.App; a.Source != "" {
		in.App = &stages.App{User: llb.User(a.User)}
	}
	return in, err
}

// Sources packs the Python source trees of a spec, by their folders.
func Sources(ctx context.Context, o Options) (map[string]llb.Layer, error) {
	platform, err := platforms.Parse(o.Spec.Platform)
	if err != nil {
		return nil, fmt.Errorf("reading platform %q: %w", o.Spec.Platform, err)
	}
	sources, err := packer{Options: o, platform: platform}.sources(ctx)
	layers := map[string]llb.Layer{}
	for i, dir := range o.Spec.Python.Sources {
		layers[dir] = sources[i].Layer
	}
	return layers, blame(err)
}

// blame marks an error that the user's trees are at fault for, and not the
// packing of them.
func blame(err error) error {
	_, entry := errors.AsType[*layers.EntryError](err)
	_, pattern := errors.AsType[*layers.PatternError](err)
	if entry || pattern || errors.Is(err, layers.ErrEmpty) {
		return failure.New(failure.Usage, err)
	}
	return err
}

// checkLayers looks at the layers that the client made against each other and
// against what a Debian base has: what Merge would spoil without a word.
func checkLayers(in stages.Input) error {
	var all []llb.Layer
	for _, m := range in.Models {
		all = append(all, m.All()...)
	}
	if in.App != nil {
		all = append(all, in.App.Layer)
	}
	for _, m := range in.Models {
		if m.Locked != nil {
			all = append(all, llb.Layer{Name: "list of the files of " + m.Path, Paths: []string{m.ListPath()}})
		}
	}
	folders := make([]llb.Layer, len(in.Trees))
	for i, t := range in.Trees {
		folders[i] = llb.Layer{Name: t.Name(), Paths: []string{t.Path + "/"}}
	}
	return failure.New(failure.Usage, errors.Join(
		layers.Check(layers.DebianFacts(others(in)), slices.Concat(all, folders)), layers.CheckFolders(folders, all),
	))
}

// others counts the layers of which only the engine knows what is in them: the
// runtime, what a variant adds, the wheels.
func others(in stages.Input) int {
	groups, _ := stages.PlanWheels(in.Wheels(), in.WheelLimit())
	n := 1 + len(groups) + len(in.Sdists()) + len(in.Sources)
	if len(in.Lock.In(lock.SetExtra, in.Variant)) > 0 {
		n++
	}
	return n
}

// lists is how many models have a list of their files in the image.
func lists(o Options) (n int) {
	for _, m := range o.Spec.Models {
		if _, ok := o.Lock.Model(m.Request()); ok {
			n++
		}
	}
	return n
}

func trees(list []spec.Git) []llb.Tree {
	trees := make([]llb.Tree, len(list))
	for i, g := range list {
		trees[i] = llb.Tree{Remote: g.URL, Commit: g.Commit, Subdir: g.Subdir, Exclude: g.Exclude, Path: g.Path}
	}
	return trees
}

type packer struct {
	Options
	platform ocispec.Platform
	limit    int // how many layers the models may take
}

// sources packs the Python source trees, each at the root of its layer.
func (p packer) sources(ctx context.Context) ([]stages.Source, error) {
	dirs := p.Spec.Python.Sources
	sources, faults := make([]stages.Source, len(dirs)), make([]error, len(dirs))
	for i, dir := range dirs {
		sources[i].Project = p.Spec.Python.SourceName(dir)
		sources[i].Layer, faults[i] = p.tree(ctx, dir, "/", p.besides(dir)...)
	}
	return sources, errors.Join(faults...)
}

// besides are what a spec's own folder holds beside a source tree that it is: the
// spec, its lock, what builds leave there, weights, environments and their secrets.
// None of it makes a wheel, and each would move the tree's digest.
func (p packer) besides(dir string) []string {
	if dir != "." {
		return nil
	}
	list := []string{spec.FileName, "image.lock", "dist", ".env", ".env.*", ".venv"}
	for _, m := range p.Spec.Models {
		if weights, local := m.Local(); local && weights != "." {
			list = append(list, weights)
		}
	}
	return list
}

// files packs the wheels and sdists that lie beside the spec, each at the root
// of a layer, and holds them against the lock.
func (p packer) files(ctx context.Context) (map[string]llb.Layer, error) {
	files := map[string]llb.Layer{}
	var faults []error
	for _, d := range p.Lock.Distributions {
		if name, ok := d.Local(); ok && files[name].Image == "" {
			var err error
			files[name], err = p.file(ctx, name, d)
			faults = append(faults, err)
		}
	}
	return files, errors.Join(faults...)
}

func (p packer) file(ctx context.Context, name string, d lock.Distribution) (llb.Layer, error) {
	data, err := fs.ReadFile(p.Root, name)
	if err != nil {
		return llb.Layer{}, failure.New(failure.Usage, fmt.Errorf("reading %s %s: %w", d.Name, d.Version, err))
	}
	if got := digest.FromBytes(data).Encoded(); got != d.SHA256 {
		err := failure.New(failure.Findings, fmt.Errorf("%q is not the file that was locked: its sha256 is %s, the lock has %s", name, got, d.SHA256))
		return llb.Layer{}, failure.WithHint(err, "\"build lock\" takes it as it is now")
	}
	return layers.File(ctx, p.Store, layers.FileOptions{
		Name: d.File, Target: "/" + d.File, Data: data, Compression: layers.Uncompressed, Platform: p.platform,
	})
}

func (p packer) app(ctx context.Context) (*stages.App, error) {
	a := p.Spec.App
	if a.Source == "" {
		return nil, nil
	}
	var made []string
	if a.Source == "." { // what builds leave in the folder would grow with each
		made = []string{"image.lock", path.Join("dist", p.Spec.Name)}
	}
	layer, err := p.tree(ctx, a.Source, a.Path, made...)
	if err != nil {
		return nil, err
	}
	layer.Name = "app"
	return &stages.App{
		Layer: layer, Path: a.Path, User: llb.User(a.User), Workdir: a.Workdir,
		Entrypoint: a.Entrypoint, Command: a.Command, Env: a.Env, Ports: a.Ports, StopSignal: a.StopSignal,
	}, nil
}

// never are the parts of a source tree that come and go with its use.
func never() []string { return []string{".dockerignore", "**/__pycache__", "**/.git"} }

// name is what a tree is called in messages: that of its folder, and the spec's own
// folder by the name of the image.
func (p packer) name(dir string) string {
	if dir == "." {
		return p.Spec.Name
	}
	return path.Base(dir)
}

func (p packer) tree(ctx context.Context, dir, target string, exclude ...string) (llb.Layer, error) {
	tree, err := fs.Sub(p.Root, dir)
	if err != nil {
		return llb.Layer{}, fmt.Errorf("opening %q: %w", dir, err)
	}
	ignore, err := fs.ReadFile(tree, ".dockerignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("reading %q: %w", path.Join(dir, ".dockerignore"), err)
		return llb.Layer{}, failure.New(failure.Usage, err)
	}
	return layers.Tree(ctx, p.Store, layers.TreeOptions{
		Name: p.name(dir), FS: tree, Target: target, Ignore: ignore, Exclude: slices.Concat(never(), exclude), Platform: p.platform,
	})
}

// models packs the weights of every model, and none where the variant brings
// none: the image then still says where they belong.
func (p packer) models(ctx context.Context) ([]stages.Model, error) {
	models, faults := make([]stages.Model, len(p.Spec.Models)), make([]error, len(p.Spec.Models))
	for i, m := range p.Spec.Models {
		if i < len(p.Models) {
			models[i] = p.Models[i]
		}
		models[i].Name, models[i].Path = m.Name, m.Path
		if locked, ok := p.Lock.Model(m.Request()); ok {
			models[i].Locked = &locked
		}
		if _, local := m.Local(); local && p.Spec.Weights == spec.WeightsLayers {
			models[i].Layers, faults[i] = p.weights(ctx, m)
		}
	}
	return models, errors.Join(faults...)
}

func (p packer) weights(ctx context.Context, m spec.Model) ([]llb.Layer, error) {
	dir, _ := m.Local()
	tree, err := fs.Sub(p.Root, dir)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", dir, err)
	}
	return layers.Weights(ctx, p.Store, layers.WeightsOptions{
		Name: path.Base(dir), FS: tree, Target: m.Path, Include: m.Include, Exclude: m.Exclude, Rename: m.Rename,
		Limit: p.limit, Platform: p.platform, Note: p.Note,
	})
}
