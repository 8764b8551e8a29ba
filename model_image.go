package lamina

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/engine"
	"lamina.build/internal/hub"
	"lamina.build/internal/solve"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/spec"
	"lamina.build/stages"
)

// images are the models of the spec, in its order: where they belong, and the layers
// of those that were locked. A published one is in its registry, another
// in the layout of models: the engine makes what is not there. Without an engine
// that is drawn and not made.
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

// locked is what the lock has for a model that is baked into the image; ok is
// false for one that is not, or that is a folder.
func (j job) locked(m spec.Model) (locked lock.Model, ok bool, err error) {
	if _, local := m.Local(); local || !j.hasWeights() {
		return lock.Model{}, false, nil
	}
	if locked, ok = j.lock.Model(m.Request()); !ok {
		err = errors.New("the lock doesn't have it")
	}
	return locked, ok, err
}

// isPublished says whether the layers of a model as it would be made now are
// somewhere, as far as the lock knows.
func isPublished(m lock.Model) bool { return m.Published != "" && m.Plan == lock.ModelPlan }

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
		return nil, err
	}
	outline := work.Outline()
	published, err := j.published(ctx, e, m)
	if err != nil {
		return nil, err
	}
	if published {
		return []stages.Weights{{State: llb.Published(m.Name(), m.Published), Layers: outline}}, nil
	}
	found, ok, err := work.Find(ctx, j.models)
	if err == nil && !ok {
		if e == nil {
			fetched := make([]stages.Weights, len(outline))
			for i, s := range work.Fetched() {
				fetched[i] = stages.Weights{State: s, Layers: outline[i : i+1]}
			}
			return fetched, nil
		}
		found, err = j.fetch(ctx, e, c, work)
	}
	return []stages.Weights{{State: llb.Pulled(m.Name(), found.Manifest.Digest), Layers: outline}}, err
}

// publishedAttempts is how often a registry is asked before the engine has to
// find out by itself.
const publishedAttempts = 3

// published says whether the registry still has what the lock says that was
// published. Nobody is asked where nothing is built.
func (j job) published(ctx context.Context, e *engine.Engine, m lock.Model) (bool, error) {
	if !isPublished(m) || e == nil {
		return isPublished(m), nil
	}
	options := j.registry(j.insecure())
	options.HTTP.Attempts = publishedAttempts
	ok, err := weights.Published(ctx, m, options)
	if err == nil && !ok {
		j.note("%s is not there any more: \"build model push\" publishes it again", m.Published)
	}
	return ok, err
}

// fetchNeed is how many bytes the engine and the layout of models are going to
// take for the models that are nowhere yet.
func (j job) fetchNeed(ctx context.Context) (need int64, err error) {
	// Each byte as it was fetched, in a layer, in the layer's blob, in the layout.
	const perByte = 4
	for _, m := range j.spec.Models {
		locked, ok, err := j.locked(m)
		if err != nil {
			return 0, err
		}
		if !ok || isPublished(locked) {
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

// fetch has the engine make a model's layers, which are then kept for all builds
// to come.
func (j job) fetch(ctx context.Context, e *engine.Engine, c *hub.Client, work weights.Job) (weights.Image, error) {
	if err := j.strays(ctx, c, work.Model); err != nil {
		return weights.Image{}, err
	}
	export := solve.Entry(output.Output{Type: output.OCI, Compression: output.Uncompressed}, false)
	export.OutputStore = j.models.Store()
	request := solve.Request{
		Store:   j.store,
		Exports: []client.ExportEntry{export},
		Session: []session.Attachable{j.logins(j.insecure()), j.hubSecrets(work.Model)},
	}
	platform := platforms.MustParse(j.spec.Platform) // the spec was checked
	return weights.Make(ctx, weights.MakeOptions{
		Job: work, Hub: c, Layout: j.models, Note: j.note,
		Solve: func(ctx context.Context, layers llb.State) (ocispec.Descriptor, error) {
			request.Image = stages.Image{State: layers, Config: ocispec.Image{Platform: platform}}
			result, err := j.run(ctx, e, request)
			return result.Descriptor, err
		},
	})
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
