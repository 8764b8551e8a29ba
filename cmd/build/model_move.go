package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"lamina.build/internal/fault"
	"lamina.build/internal/model"
	"lamina.build/internal/registry"
	"lamina.build/internal/report"
	"lamina.build/internal/transfer"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// pushesDir is the folder of the cache folder that remembers uploads.
const pushesDir = "pushes"

func pushModel(ctx context.Context, a *app, o modelOptions, args []string) (err error) {
	if len(args) != 1 {
		err = fault.New(fault.Usage, errors.New("model push needs one reference: where to"))
		return fault.WithHint(err, "build model push registry.example/weights:1")
	}
	locked, err := a.openLocked(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	i, err := locked.pick(o.name)
	if err != nil {
		return err
	}
	m := &locked.lock.Models[i]
	image, reference, err := a.push(ctx, o, *m, args[0])
	if err != nil {
		return err
	}
	m.Published = reference
	if err := locked.writeLock(locked.lock); err != nil {
		return err
	}
	return a.ui.result(published(*m, image))
}

// push streams a model to a registry and returns what it is called there, by
// its digest.
func (a *app) push(ctx context.Context, o modelOptions, m lock.Model, to string) (weights.Image, string, error) {
	reference, err := name.ParseReference(to)
	if err != nil {
		return weights.Image{}, "", fault.New(fault.Usage, fmt.Errorf("reference %q: %w", to, err))
	}
	tag, ok := reference.(name.Tag)
	if !ok {
		return weights.Image{}, "", fault.New(fault.Usage, fmt.Errorf("reference %q has a digest, which only a push can know", to))
	}
	override, err := o.override()
	if err != nil {
		return weights.Image{}, "", err
	}
	repository, err := registry.Open(ctx, to, registry.Options{
		Insecure: o.insecure, Limits: registry.LimitsOf(reference.Context().RegistryStr()).With(override),
	})
	if err != nil {
		return weights.Image{}, "", err
	}
	dir, err := a.cacheDir()
	if err != nil {
		return weights.Image{}, "", err
	}
	options := weights.PushOptions{
		Repository: repository, Tag: tag.TagStr(), Published: a.elsewhere(ctx, o, m, repository), MountFrom: o.mount,
		Journal: filepath.Join(dir, pushesDir),
	}
	var image weights.Image
	err = a.transfer(ctx, o, m, "pushing to "+repository.Name(), func(ctx context.Context, job weights.Job) (err error) {
		options.Job = job
		image, err = weights.Push(ctx, options)
		return err
	})
	return image, repository.Name() + "@" + image.Manifest.Digest.String(), err
}

// elsewhere opens the repository that the lock says has the layers, where that
// is another one on the same registry.
func (a *app) elsewhere(ctx context.Context, o modelOptions, m lock.Model, to *registry.Repository) *registry.Repository {
	where, _, _ := strings.Cut(m.Published, "@")
	host, _, _ := strings.Cut(where, "/")
	if where == "" || where == to.Name() || !strings.HasPrefix(to.Name(), host+"/") {
		return nil
	}
	r, err := registry.Open(ctx, where, registry.Options{Insecure: o.insecure})
	if err != nil {
		a.ui.note("%s can't be asked for its layers: %v", where, err)
		return nil
	}
	return r
}

func (o modelOptions) override() (registry.Override, error) {
	override := registry.Override{Off: o.force}
	if o.layer == "" {
		return override, nil
	}
	size, err := parseSize(o.layer)
	if err != nil {
		return override, fmt.Errorf("flag --max-layer: %w", err)
	}
	override.Layer = size
	return override, nil
}

// transfer moves a model and shows how far it is.
func (a *app) transfer(
	ctx context.Context, o modelOptions, m lock.Model, title string, work func(context.Context, weights.Job) error,
) error {
	c, err := a.hub()
	if err != nil {
		return err
	}
	job, err := divide(m)
	if err != nil {
		return err
	}
	job.Source = model.Source(c, m)
	display, err := a.display(o.mode.value)
	if err != nil {
		return err
	}
	t := transfer.New(title)
	for _, l := range job.Layers {
		t.Add(l.Name, l.Size)
	}
	job.Progress = func(e weights.Event) { follow(t, e) }
	return t.Show(ctx, display, func(ctx context.Context) error { return work(ctx, job) })
}

func follow(t *transfer.Transfer, e weights.Event) {
	switch e.State {
	case weights.Waiting, weights.Failed:
	case weights.Moving:
		t.At(e.Name, e.Bytes)
	case weights.Present:
		t.Finish(e.Name, "there already")
	case weights.Mounted:
		t.Finish(e.Name, "mounted")
	case weights.Done:
		t.Finish(e.Name, "done")
	}
}

func published(m lock.Model, image weights.Image) string {
	what := "published"
	if image.Unchanged {
		what = "was published already"
	}
	return fmt.Sprintf("%s %s: %s, %s\n%s\n", model.Name(m.ModelRequest), what, report.Count(len(image.Layers), "layer"), report.Size(m.Size()), m.Published)
}

func pullModel(ctx context.Context, a *app, o modelOptions, args []string) (err error) {
	if len(args) > 1 {
		return fault.New(fault.Usage, errors.New("model pull takes one folder at most"))
	}
	locked, err := a.openLocked(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	i, err := locked.pick(o.name)
	if err != nil {
		return err
	}
	store, err := a.openModels(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m := locked.lock.Models[i]
	var image weights.Image
	err = a.transfer(ctx, o, m, "pulling to "+store.Dir(), func(ctx context.Context, job weights.Job) (err error) {
		image, err = weights.Pull(ctx, weights.PullOptions{Job: job, Dir: store.Dir(), Tag: job.LayoutTag()})
		return err
	})
	if err != nil {
		return err
	}
	return a.ui.result(fmt.Sprintf("%s in %s: %s, %s\n%s\n",
		model.Name(m.ModelRequest), store.Dir(), report.Count(len(image.Layers), "layer"), report.Size(m.Size()), image.Manifest.Digest))
}
