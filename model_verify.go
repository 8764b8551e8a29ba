package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/internal/weights"
)

// VerifyOptions say what is read of models.
type VerifyOptions struct {
	Model    string // its name; all models where it is empty
	Dir      string // of a layout of models; that of the options where it is empty
	Insecure bool   // registries are reached by plain HTTP, or with a certificate that nobody signed
}

// Verify reads all of the locked models where they are, in registries and in the layout,
// and holds every file against the lock: builds look at names and sizes alone. It returns
// what was read. What is another is of the kind [Findings], and so is a model that is nowhere.
func (p *Project) Verify(ctx context.Context, o VerifyOptions) (verified []Moved, err error) {
	locked, err := p.models()
	if err != nil {
		return nil, err
	}
	store, err := p.findModels(ctx, cmp.Or(o.Dir, p.o.Models))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if o.Model != "" {
		i, err := locked.pick(o.Model)
		if err != nil {
			return nil, err
		}
		locked.lock.Models = locked.lock.Models[i : i+1]
	}
	var problems []error
	for _, m := range locked.lock.Models {
		work, err := weights.NewJob(m)
		if err != nil {
			return nil, err
		}
		places, err := p.verify(ctx, work, store, o.Insecure)
		verified, problems = append(verified, places...), append(problems, err)
	}
	return verified, errors.Join(problems...)
}

// verify reads one model in both places that it may be in.
func (h *host) verify(ctx context.Context, work weights.Job, store *layout.Layout, insecure bool) (verified []Moved, err error) {
	m := work.Model
	done := Moved{Model: m, Layers: len(work.Layers)}
	var problems []error
	read := func(where Moved, title string, do func(context.Context, weights.Job) error) {
		if problem := work.Show(ctx, "verifying "+title, h.watch(Work{Task: Moving}), do); problem != nil {
			problems = append(problems, fmt.Errorf("verifying %s: %w", title, problem))
			return
		}
		verified = append(verified, where)
	}
	if isPublished(m) {
		done.Reference = m.Published
		read(done, m.Published, func(ctx context.Context, work weights.Job) error {
			r, unread := registry.Open(ctx, m.Place(), h.reading(insecure))
			if unread != nil {
				return unread
			}
			return work.VerifyPublished(ctx, r)
		})
	}
	_, ok, err := work.Find(ctx, store)
	if ok {
		done.Reference, done.Dir = "", store.Dir()
		read(done, m.Name()+" in "+store.Dir(), func(ctx context.Context, work weights.Job) error { return work.VerifyPulled(ctx, store) })
	}
	if err == nil && !ok && !isPublished(m) {
		err = failure.New(failure.Findings, fmt.Errorf("%s is neither published nor in %s", m.Name(), store.Dir()))
	}
	return verified, errors.Join(append(problems, err)...)
}
