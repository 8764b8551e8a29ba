package lamina

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/registry"
	"lamina.build/internal/solve"
	"lamina.build/internal/solve/readback"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/spec"
	"lamina.build/stages"
)

// images returns the models of the spec, in its order: their paths, and the layers of the
// locked ones. A published model is in its registry, others are in the layout of models;
// the engine makes those that are missing. Without an engine these are only drawn.
func (j job) images(ctx context.Context, e *engine.Engine) ([]stages.Model, error) {
	images := make([]stages.Model, len(j.spec.Models))
	for i, m := range j.spec.Models {
		images[i] = stages.Model{Name: m.Name, Path: m.Path}
		if known, ok := j.lock.Model(m.Request()); ok {
			images[i].Locked = &known
		}
		locked, ok, err := j.locked(m)
		if ok {
			images[i].Weights, err = j.weights(ctx, e, locked)
		}
		if err != nil {
			return nil, &modelError{m.From, err}
		}
	}
	return images, nil
}

// locked returns the lock's entry for a model that is baked into the image; ok is false
// for one that isn't, or that is a directory.
func (j job) locked(m spec.Model) (locked lock.Model, ok bool, err error) {
	if _, local := m.Local(); local || !j.hasWeights() {
		return lock.Model{}, false, nil
	}
	if locked, ok = j.lock.Model(m.Request()); !ok {
		err = errors.New("the lock doesn't have it")
	}
	return locked, ok, err
}

// isPublished reports whether, according to the lock, the layers of a model are published
// as they would be made now.
func isPublished(m lock.Model) bool { return m.Published != "" && m.Plan == lock.ModelPlan }

// asksPublished reports whether a model is taken from its published repository.
func (j job) asksPublished(m lock.Model) bool { return isPublished(m) && !j.unpublished }

// modelError is why a model can't be part of an image.
type modelError struct {
	from string
	err  error
}

func (e *modelError) Error() string { return fmt.Sprintf("model %q: %v", e.from, e.err) }
func (e *modelError) Unwrap() error { return e.err }

func (j job) weights(ctx context.Context, e *engine.Engine, m lock.Model) ([]stages.Weights, error) {
	c, err := j.hub()
	if err != nil {
		return nil, err
	}
	work, err := weights.NewJob(c.Locate(m))
	if err != nil {
		return nil, unpublishable(err)
	}
	published, unread, err := j.published(ctx, e, work)
	if err != nil {
		return nil, err
	}
	if j.asksPublished(m) && unread == nil {
		return []stages.Weights{{State: llb.Published(m.Name(), m.Published), Layers: work.Made(published.Layers)}}, nil
	}
	found, ok, err := work.Find(ctx, j.models)
	switch {
	case err == nil && ok:
		err = work.CheckPulled(ctx, j.models, j.pushes())
		if failure.KindOf(err) == failure.Findings {
			err = failure.WithHint(err, "run \"build model pull\" to make it again")
		}
	case err == nil && e == nil:
		outline := work.Outline()
		fetched := make([]stages.Weights, len(outline))
		for i, s := range work.Fetched() {
			fetched[i] = stages.Weights{State: s, Layers: outline[i : i+1]}
		}
		return fetched, nil
	case err == nil:
		found, err = j.fetch(ctx, e, c, work)
		err = unpublishable(orUnread(err, unread))
	}
	return []stages.Weights{{State: llb.Pulled(m.Name(), found.Manifest.Digest), Layers: work.Made(found.Layers)}}, err
}

// publishedAttempts is how often a registry is tried, since the layers may be available elsewhere.
const publishedAttempts = 3

// published returns the image of a published model if it agrees with the lock, or in unread
// why it can't be read. A different image is an error. Without an engine, nothing is built
// and no registry contacted.
func (j job) published(ctx context.Context, e *engine.Engine, work weights.Job) (image weights.Image, unread, err error) {
	m := work.Model
	if !j.asksPublished(m) || e == nil {
		return image, nil, nil
	}
	r, unread := registry.Open(ctx, m.Place(), j.readRegistry())
	if unread == nil {
		image, unread = work.CheckPublished(ctx, r, j.pushes())
	}
	switch {
	case unread == nil:
		return image, nil, nil
	case ctx.Err() != nil:
		return image, nil, context.Cause(ctx)
	case failure.KindOf(unread) == failure.Findings:
		return image, nil, unpublishable(unread)
	case errors.Is(unread, registry.ErrNotFound):
		j.note("%s no longer exists; run \"build model push\" to publish it again", m.Published)
	default:
		j.note("%s can't be read, so its layers are taken from elsewhere: %v", m.Published, unread)
	}
	return image, unread, nil
}

// readRegistry returns the options for reading from registries in a build.
func (j job) readRegistry() registry.Options {
	options := j.reading(j.insecure())
	options.HTTP.Attempts = publishedAttempts
	return options
}

// unpublishable adds a hint how to build without published models.
func unpublishable(err error) error {
	if failure.KindOf(err) != failure.Findings {
		return err
	}
	return failure.WithHint(err, "find out who published it or changed the lock; run \"build lock --unpublish\" to remove published models from the lock and have the model fetched from its locked source")
}

// orUnread joins the reasons why a model is available neither elsewhere nor from its
// published repository. The error is transient if one of the two is.
func orUnread(err, unread error) error {
	if err == nil || unread == nil {
		return err
	}
	kind := failure.KindOf(err)
	if failure.KindOf(unread) == failure.Transient {
		kind = failure.Transient
	}
	return failure.New(kind, fmt.Errorf("%w; nor from its published repository: %w", err, unread))
}

// fetchNeed returns how many bytes the engine and the layout of models will use for the
// models that are nowhere yet.
func (j job) fetchNeed(ctx context.Context) (need int64, err error) {
	// Each byte is in the fetched file, in a layer, in the layer's blob and in the layout.
	const perByte = 4
	for _, m := range j.spec.Models {
		locked, ok, err := j.locked(m)
		if err != nil {
			return 0, err
		}
		if !ok || j.asksPublished(locked) {
			continue
		}
		work, err := weights.NewJob(locked)
		if err != nil {
			return 0, err
		}
		_, there, err := work.Find(ctx, j.models)
		if err != nil {
			return 0, err
		}
		if !there {
			need += locked.Size() * perByte
		}
	}
	return need, nil
}

// fetch has the engine make a model's layers, which are then kept for later builds.
func (j job) fetch(ctx context.Context, e *engine.Engine, c *hub.Client, work weights.Job) (weights.Image, error) {
	export := readback.Entry(output.Output{Type: output.OCI, Compression: output.Uncompressed})
	export.OutputStore = j.models.Store()
	request := solve.Request{
		Store:   j.store,
		Exports: []client.ExportEntry{export},
		Session: []session.Attachable{j.logins(j.insecure()), j.hubSecrets(work.Model)},
	}
	platform := j.platform()
	made, err := weights.Make(ctx, weights.MakeOptions{
		Job: work, Hub: c, Layout: j.models, Dir: j.pushes(), Note: j.note,
		Solve: func(ctx context.Context, layers llb.State) (ocispec.Descriptor, error) {
			if err := j.strays(ctx, c, work.Model); err != nil {
				return ocispec.Descriptor{}, err
			}
			request.Sources = *j.from(layers) // as the lock has them
			request.Image = stages.Image{State: layers}
			request.Image.Config.Platform = platform
			result, err := j.run(ctx, e, request, nil)
			return result.Descriptor, err
		},
	})
	if err == nil && j.relocks && j.Build.Lock == nil {
		err = j.lockLayers(work.Model, made)
	}
	return made, err
}

// lockLayers writes a model's layers into the lock that this build has made.
func (j job) lockLayers(m lock.Model, made weights.Image) error {
	before := j.whole.Format()
	for i := range j.whole.Models { // shared with the lock of the platform
		if one := &j.whole.Models[i]; one.Compare(m.ModelRequest) == 0 {
			one.Layers = made.Locked()
		}
	}
	if text, err := j.lockText(); err != nil || !bytes.Equal(text, before) {
		return err // somebody else has locked again since
	}
	return j.WriteLock(j.whole)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
