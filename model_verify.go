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

// VerifyOptions are options for verifying models.
type VerifyOptions struct {
	Model    string // its name; "" is all models
	Dir      string // of a layout of models; "" is that of the options
	Insecure bool   // allow plain HTTP and untrusted certificates for registries
}

// Verify reads the locked models completely, in registries and in the layout, and compares
// every file with the lock: builds only check names and sizes. It returns what it read.
// Different content and a missing model are errors of the kind [Findings].
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

// verify reads one model in its registry and in the layout.
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
