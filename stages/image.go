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

// Image is a picture that is ready to be solved.
type Image struct {
	State  llb.State // the merge of all parts, let out by the smoke tests
	Config dockerspec.DockerOCIImage
	Parts  []Part // bottom first

	lean llb.State // State without the parts that are added
}

// Part is what a stage adds to an image: a state that brings one layer, or several.
type Part struct {
	Stage    string // "runtime", "wheels", "list", "model", "git", "app", or the variant that adds it
	State    llb.State
	Layers   []Layer // bottom first; at least one
	Optional bool    // it is empty where what it is made of could not be built
	Added    bool    // no engine exports it: its layers are added to the image as they are stored

	check *llb.LayerCheck // of its one layer; nil where the engine doesn't make it
}

// Layer says what one layer holds, and how large that will be, as far as the lock
// knows before anything is fetched; sizes are 0 where it doesn't.
type Layer struct {
	What     string // "118 Debian packages"
	Fetched  int64  // bytes as they come: compressed packages and wheels, uncompressed weights
	Unpacked int64  // bytes on the disk, before pruning

	// Stored and DiffID are those of a layer that is finished before the image is.
	Stored ocispec.Descriptor
	DiffID digest.Digest
}

// New draws the image. Merge is the last operation that makes anything:
// whatever ran on it, copied from it or mounted it would pull every layer that
// the engine has not. The tests stand next to it.
//
// own are layers of one's own, below the app's: what [llb.Clean] makes, or another
// layer without whiteouts. The tests see them, too, and they are checked as all are that
// the engine makes.
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

// Lean is the image as an engine exports it, without the parts that are added. An
// engine keeps the first compression that it makes of a layer, or finds in a cache, and
// gives another one only where it is forced to, which would compress weights.
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

// Builder is where native code is compiled and where the checks have their
// tools. Nothing of it reaches the image but the wheels it makes.
func Builder(in Input) (llb.State, error) {
	if err := in.checkDebian(lock.SetBase, lock.SetBuilder); err != nil {
		return llb.State{}, fmt.Errorf("drawing the builder: %w", err)
	}
	return in.builder(), nil
}

// Runtime is what Python packages are installed on: the operating system of the
// image, without what a variant adds. It keeps what dpkg has noted, which the image's own
// check asks for: an engine would install all packages once more for that.
func Runtime(in Input) (llb.State, error) {
	if err := in.checkDebian(lock.SetBase, lock.SetRuntime); err != nil {
		return llb.State{}, fmt.Errorf("drawing the runtime: %w", err)
	}
	base := in.system()
	return base.State().Requires("lists of dpkg", base.Lists()), nil
}

// drawing is an image that is drawn, with what its stages share.
type drawing struct {
	Input
	root llb.State // of the builder
}

func draw(in Input) drawing { return drawing{in, in.builder()} }

// parts are those of the image, bottom first: what changes least lies lowest. The
// tests run on some of them alone: weights would be pulled for that, and a root file
// system that holds the app would have to be linked anew, file by file, at each of
// its changes.
func (d drawing) parts(own []Part) (all, tested []Part) {
	low := slices.Concat(d.runtime(), d.wheels(), d.lists())
	high := slices.Concat(d.trees(), own)
	return slices.Concat(low, d.models(), high, d.app()), slices.Concat(low, high)
}

// Known are the layers of which the client knows what they hold, and those of git
// trees, of which it knows the directory alone that they fill.
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

// trees are the layers of git trees. A commit names all of its content, so that
// a lock has nothing to add to a spec that names one.
func (d drawing) trees() []Part {
	parts := make([]Part, len(d.Trees))
	for i, t := range d.Trees {
		parts[i] = part("git", t.State(), Layer{What: t.Name() + " in " + t.Path}).
			checked(llb.LayerCheck{Name: t.Name(), Places: []string{t.Path}})
	}
	return parts
}

// app is the layer of the app, where the image has one.
func (d drawing) app() []Part {
	if !d.App.brings() {
		return nil
	}
	return []Part{part("app", llb.Packed(d.App.Layer), layerOf(d.App.Path, d.App.Layer))}
}

func part(stage string, s llb.State, layers ...Layer) Part {
	return Part{Stage: stage, State: s, Layers: layers}
}

// layerOf is a layer as far as l is finished.
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
