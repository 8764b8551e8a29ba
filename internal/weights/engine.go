package weights

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/humanize"
	"lamina.build/internal/layout"
	"lamina.build/internal/solve"
	"lamina.build/llb"
	"lamina.build/lock"
)

// MakeOptions configure how an engine makes the layers of a model.
type MakeOptions struct {
	Job // of a model whose files have URLs, as of [hub.Client.Locate]

	Hub    *hub.Client
	Layout *layout.Layout
	Dir    string // remembers the layers, same as [PushOptions.Journal]
	// Solve has the engine export an image of the result to the layout.
	Solve func(context.Context, llb.State) (ocispec.Descriptor, error)
	Note  func(format string, args ...any)
}

// Make has an engine fetch a model's files and make its layers, and keeps them in a
// layout. A [*SpaceError] is returned before a byte moves.
func Make(ctx context.Context, o MakeOptions) (Image, error) {
	// The engine's own disk was checked when the engine was opened.
	if err := checkSpace(o.Layout.Dir(), o.Model.Size()); err != nil {
		return Image{}, err
	}
	o.Note("fetching %s of %s through the engine; \"build model push\" publishes them once for all builds",
		humanize.Size(o.Model.Size()), o.Model.Name())
	made, err := o.solve(ctx)
	if err != nil {
		return Image{}, err
	}
	images, err := layout.Images(ctx, o.Layout.Store(), made)
	if err != nil {
		return Image{}, err
	}
	var layers []digest.Digest
	for _, image := range images {
		for _, l := range image.Layers() {
			layers = append(layers, l.Digest)
		}
	}
	kept, err := o.Keep(ctx, o.Layout, layers)
	if err == nil {
		err = errors.Join(o.CheckLayers(kept), o.Remember(o.Dir, kept))
	}
	if err != nil || kept.Manifest.Digest == made.Digest {
		return kept, err
	}
	// The engine's own manifest is useless. A cleanup would remove more: the layers
	// of an interrupted pull have no tag yet, either.
	return kept, o.Layout.Store().Delete(ctx, made.Digest)
}

// retries is how often the engine retries a file that it could not fetch.
const retries = 2

// solve retries transient failures and explains why the engine could not fetch a file:
// an engine hashes whatever a server answers.
func (o MakeOptions) solve(ctx context.Context) (ocispec.Descriptor, error) {
	state := llb.Merge("weights", o.Fetched()...)
	for n := 0; ; n++ {
		made, err := o.Solve(ctx, state)
		step, ok := errors.AsType[*solve.Error](err)
		if !ok || step.URL == "" || ctx.Err() != nil {
			return made, err
		}
		i := slices.IndexFunc(o.Model.Files, func(f lock.ModelFile) bool { return f.URL == step.URL })
		if i < 0 {
			return made, err
		}
		err = o.Hub.Diagnose(ctx, o.Model.Files[i], err)
		if n == retries || failure.KindOf(err) != failure.Transient && !errors.Is(err, hub.ErrBytes) {
			return made, err
		}
		o.Note("%v: trying again", err)
		_ = failure.Pause(ctx, time.Second<<n) // the next attempt reports the end of ctx
	}
}

// Fetched returns the layers as an engine makes them: every file fetched by its digest,
// one clean layer for each of the plan's. The files must have their URLs.
func (j Job) Fetched() []llb.State {
	states := make([]llb.State, len(j.Layers))
	for i, l := range j.Layers {
		var files []llb.File
		var empty []string
		for _, p := range l.Paths {
			switch f, ok := l.Files[strings.TrimPrefix(p, "/")]; {
			case ok:
				sum := digest.NewDigestFromEncoded(digest.SHA256, f.SHA256)
				files = append(files, llb.File{From: llb.Fetch(f.URL, sum, path.Base(p)), Path: p})
			case !strings.HasSuffix(p, "/"):
				empty = append(empty, p)
			}
		}
		states[i] = llb.ModelLayer(l.Name, files, empty)
	}
	return states
}

// Outline returns what is known about the layers before they are made.
func (j Job) Outline() []llb.Layer {
	list := make([]llb.Layer, len(j.Layers))
	for i, l := range j.Layers {
		list[i] = llb.Layer{Name: l.Name, Size: l.Size, Paths: l.Paths}
	}
	return list
}

// Made returns what is known about the made layers; their digests are also their diff IDs.
func (j Job) Made(layers []ocispec.Descriptor) []llb.Layer {
	list := j.Outline()
	for i, d := range layers {
		list[i].Blob, list[i].DiffID = d, d.Digest
	}
	return list
}
