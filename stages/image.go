package stages

import (
	"errors"
	"fmt"
	"slices"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
	"lamina.build/lock"
)

// Image is a drawn image, ready to be solved.
type Image struct {
	State  llb.State // the merge of all parts, which requires the smoke tests
	Config dockerspec.DockerOCIImage
	Parts  []Part // bottom first

	lean llb.State // State without the parts that are added
}

// Part is what a stage adds to an image: a state with one or several layers.
type Part struct {
	Stage    string // "runtime", "wheels", "list", "model", "git", "app", or the variant that adds it
	State    llb.State
	Layers   []Layer // bottom first; at least one
	Optional bool    // it is empty if what it consists of could not be built
	Added    bool    // not exported by an engine: its layers are added to the image as stored

	check *llb.LayerCheck // of its one layer; nil if the engine doesn't make it
}

// Layer describes the content of a layer and its size, as far as the lock knows them before
// anything is fetched; unknown sizes are 0.
type Layer struct {
	What     string // "118 Debian packages"
	Fetched  int64  // bytes to download: compressed packages and wheels, uncompressed weights
	Unpacked int64  // bytes on disk, before pruning

	// Stored and DiffID are set for a layer that is finished before the image.
	Stored ocispec.Descriptor
	DiffID digest.Digest
}

// New draws the image. Merge is the last operation that makes anything: whatever ran on its
// result, copied from it or mounted it would pull every layer that the engine lacks. The
// tests run next to it.
//
// own are the caller's layers, below the app's: results of [llb.Clean], or other layers
// without whiteouts. The tests see them, too, and they are checked like all layers that the
// engine makes.
func New(in Input, own ...Part) (Image, error) {
	problems := []error{in.check()}
	for _, p := range own {
		if len(p.Layers) == 0 {
			problems = append(problems, fmt.Errorf("part %q has no layers", p.Stage))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Image{}, fmt.Errorf("drawing image %q: %w", in.Name, err)
	}
	d := draw(in)
	own = slices.Clone(own)
	for i, p := range own {
		own[i] = p.checked(llb.LayerCheck{Name: p.Layers[0].What, Places: []string{"/"}})
	}
	parts, tested := d.parts(own)
	tests := d.tests(tested)
	image := func(parts []Part) llb.State {
		return llb.Merge("image", d.checked(parts)...).Requires("smoke", tests...)
	}
	return Image{
		State:  image(parts),
		Config: config(in, parts),
		Parts:  parts,
		lean:   image(slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p.Added })),
	}, nil
}

// Lean returns the image as an engine exports it, without the parts that are added. An engine
// keeps the first compression that it makes of a layer or finds in a cache, and uses
// another only if that is forced, which would compress weights.
func (i Image) Lean() Image {
	if !slices.ContainsFunc(i.Parts, func(p Part) bool { return p.Added }) {
		return i
	}
	lean := Image{State: i.lean, Config: i.Config}
	lean.Config.History = nil
	var added []bool // by layer
	for _, p := range i.Parts {
		added = append(added, slices.Repeat([]bool{p.Added}, len(p.Layers))...)
		if !p.Added {
			lean.Parts = append(lean.Parts, p)
		}
	}
	n := 0
	for _, h := range i.Config.History {
		if h.EmptyLayer || n >= len(added) || !added[n] {
			lean.Config.History = append(lean.Config.History, h)
		}
		if !h.EmptyLayer {
			n++
		}
	}
	return lean
}

// Builder returns the stage that compiles native code and has the tools of the checks. Only
// the wheels that it makes reach the image.
func Builder(in Input) (llb.State, error) {
	if err := in.checkDebian(lock.SetBase, lock.SetBuilder); err != nil {
		return llb.State{}, fmt.Errorf("drawing the builder: %w", err)
	}
	return in.builder(), nil
}

// Runtime returns what Python packages are installed on: the operating system of the image,
// without what a variant adds. It keeps dpkg's lists, which the image's own check needs: an
// engine would install all packages again for them.
func Runtime(in Input) (llb.State, error) {
	if err := in.checkDebian(lock.SetBase, lock.SetRuntime); err != nil {
		return llb.State{}, fmt.Errorf("drawing the runtime: %w", err)
	}
	base := in.system()
	return base.State().Requires("lists of dpkg", base.Lists()), nil
}

// drawing is an image being drawn, with what its stages share.
type drawing struct {
	Input
	root llb.State // of the builder
}

func draw(in Input) drawing { return drawing{in, in.builder()} }

// parts returns the parts of the image, bottom first: what changes least is at the bottom.
// Tests run only on some of them: weights would be pulled for that, and a root file system
// with the app would be linked again, file by file, at each change of the app.
func (d drawing) parts(own []Part) (all, tested []Part) {
	low := slices.Concat(d.runtime(), d.wheels(), d.lists())
	high := slices.Concat(d.trees(), own)
	return slices.Concat(low, d.models(), high, d.app()), slices.Concat(low, high)
}

// Known returns the layers whose content the client knows, and those of git trees, of which
// it knows only the directory.
func (in Input) Known() (layers, directories []llb.Layer) {
	for _, m := range in.Models {
		layers = append(layers, m.Layers()...)
	}
	if in.App.brings() {
		layers = append(layers, in.App.Layer)
	}
	for _, m := range in.Models {
		if m.Locked != nil {
			layers = append(layers, llb.Layer{Name: m.listName(), Paths: []string{m.listPath()}})
		}
	}
	for _, t := range in.Trees {
		directories = append(directories, llb.Layer{Name: t.Name(), Paths: []string{t.Path + "/"}})
	}
	return layers, directories
}

// trees returns the layers of git trees. A commit identifies all of its content, so a lock has
// nothing to add to a spec that names one.
func (d drawing) trees() []Part {
	parts := make([]Part, len(d.Trees))
	for i, t := range d.Trees {
		parts[i] = part("git", t.State(), Layer{What: t.Name() + " in " + t.Path}).
			checked(llb.LayerCheck{Name: t.Name(), Places: []string{t.Path}})
	}
	return parts
}

// app returns the layer of the app, if the image has one.
func (d drawing) app() []Part {
	if !d.App.brings() {
		return nil
	}
	return []Part{part("app", llb.Packed(d.App.Layer), layerOf(d.App.Path, d.App.Layer))}
}

func part(stage string, s llb.State, layers ...Layer) Part {
	return Part{Stage: stage, State: s, Layers: layers}
}

// layerOf returns a layer with what is known of l.
func layerOf(what string, l llb.Layer) Layer {
	return Layer{What: what, Unpacked: l.Size, Stored: l.Blob, DiffID: l.DiffID}
}

func states(parts []Part) []llb.State {
	list := make([]llb.State, len(parts))
	for i, p := range parts {
		list[i] = p.State
	}
	return list
}
