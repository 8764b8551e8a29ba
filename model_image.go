package lamina

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/output"
	"lamina.build/internal/registry"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
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
	work, err := divide(m)
	if err != nil {
		return nil, err
	}
	outline := weights.Outline(work.Layers)
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
			for i, s := range weights.Fetched(c, m, work.Layers) {
				fetched[i] = stages.Weights{State: s, Layers: outline[i : i+1]}
			}
			return fetched, nil
		}
		found, err = j.fetch(ctx, e, c, work)
	}
	return []stages.Weights{{State: llb.Pulled(m.Name(), found.Manifest.Digest), Layers: outline}}, err
}

// published says whether the registry still has what the lock says that was
// published, which costs one small request. Where the client can't reach the registry
// the engine may; nobody is asked where nothing is built.
func (j job) published(ctx context.Context, e *engine.Engine, m lock.Model) (bool, error) {
	if !isPublished(m) || e == nil {
		return isPublished(m), nil
	}
	where, sum, _ := strings.Cut(m.Published, "@")
	insecure := slices.ContainsFunc(j.Outputs, func(o output.Output) bool { return o.Insecure })
	r, err := registry.Open(ctx, where, registry.Options{Insecure: insecure, Attempts: publishedAttempts})
	if err == nil {
		_, _, err = r.Manifest(ctx, sum)
	}
	switch {
	case errors.Is(err, registry.ErrNotFound):
		j.note("%s is not there any more: \"build model push\" publishes it again", m.Published)
		return false, nil
	case err != nil && failure.KindOf(err) == failure.Usage:
		return false, err
	}
	return true, nil
}

// publishedAttempts is how often a registry is asked before the engine has to
// find out by itself.
const publishedAttempts = 3
