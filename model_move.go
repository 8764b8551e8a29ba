package lamina

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// pushesDir is the folder of the cache folder that remembers uploads.
const pushesDir = "pushes"

// PushOptions say how a model is published.
type PushOptions struct {
	Model     string   // its name, where the lock has several
	Insecure  bool     // by plain HTTP, or to a registry whose certificate nobody signed
	MaxLayer  int64    // bytes: the registry takes layers up to this size, whatever is known of it
	NoLimits  bool     // don't hold the layers against what is known of the registry
	MountFrom []string // repositories of the registry that may have the layers already
}

// Moved is a model that was published or pulled.
type Moved struct {
	Model     lock.Model
	Layers    int
	Dir       string        // of the layout that it was pulled to
	Manifest  digest.Digest // of the image of its layers
	Unchanged bool          // nothing had to be moved
}

// Push streams a model from where it was locked to a registry, as layers that images
// are then built on, and writes the place into the lock.
func (p *Project) Push(ctx context.Context, to string, o PushOptions) (moved Moved, err error) {
	if err = p.checkPlace(); err != nil {
		return moved, err
	}
	locked, err := p.models()
	if err != nil {
		return moved, err
	}
	i, err := locked.pick(o.Model)
	if err != nil {
		return moved, err
	}
	m := &locked.lock.Models[i]
	image, reference, err := p.push(ctx, o, *m, to)
	if err != nil {
		return moved, err
	}
	m.Published = reference
	return Moved{Model: *m, Layers: len(image.Layers), Manifest: image.Manifest.Digest, Unchanged: image.Unchanged}, p.WriteLock(locked.lock)
}

// Pull streams a model into the OCI layout in a folder; "" is the one in the cache
// folder, which all builds look into.
func (p *Project) Pull(ctx context.Context, model, dir string) (moved Moved, err error) {
	locked, err := p.models()
	if err != nil {
		return moved, err
	}
	i, err := locked.pick(model)
	if err != nil {
		return moved, err
	}
	store, err := p.openModels(ctx, dir)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m := locked.lock.Models[i]
	var image weights.Image
	err = p.transfer(ctx, m, "pulling to "+store.Dir(), func(ctx context.Context, job weights.Job) (err error) {
		image, err = weights.Pull(ctx, weights.PullOptions{Job: job, Dir: store.Dir(), Tag: job.LayoutTag()})
		return err
	})
	return Moved{Model: m, Layers: len(image.Layers), Dir: store.Dir(), Manifest: image.Manifest.Digest}, err
}

// push streams a model to a registry and returns what it is called there, by
// its digest.
func (h *host) push(ctx context.Context, o PushOptions, m lock.Model, to string) (weights.Image, string, error) {
	reference, err := name.ParseReference(to)
	if err != nil {
		return weights.Image{}, "", failure.New(failure.Usage, fmt.Errorf("reference %q: %w", to, err))
	}
	tag, ok := reference.(name.Tag)
	if !ok {
		return weights.Image{}, "", failure.New(failure.Usage, fmt.Errorf("reference %q has a digest, which only a push can know", to))
	}
	repository, err := registry.Open(ctx, to, registry.Options{
		Insecure: o.Insecure,
		Limits:   registry.LimitsOf(reference.Context().RegistryStr()).With(o.MaxLayer, o.NoLimits),
	})
	if err != nil {
		return weights.Image{}, "", err
	}
	options := weights.PushOptions{
		Repository: repository, Tag: tag.TagStr(), Published: h.elsewhere(ctx, o, m, repository), MountFrom: o.MountFrom,
		Journal: filepath.Join(h.cacheDir, pushesDir),
	}
	var image weights.Image
	err = h.transfer(ctx, m, "pushing to "+repository.Name(), func(ctx context.Context, job weights.Job) (err error) {
		options.Job = job
		image, err = weights.Push(ctx, options)
		return err
	})
	return image, repository.Name() + "@" + image.Manifest.Digest.String(), err
}

// elsewhere opens the repository that the lock says has the layers, where that
// is another one on the same registry.
func (h *host) elsewhere(ctx context.Context, o PushOptions, m lock.Model, to *registry.Repository) *registry.Repository {
	where, _, _ := strings.Cut(m.Published, "@")
	host, _, _ := strings.Cut(where, "/")
	if where == "" || where == to.Name() || !strings.HasPrefix(to.Name(), host+"/") {
		return nil
	}
	r, err := registry.Open(ctx, where, registry.Options{Insecure: o.Insecure})
	if err != nil {
		h.note("%s can't be asked for its layers: %v", where, err)
		return nil
	}
	return r
}

// transfer moves a model and shows how far it is.
func (h *host) transfer(ctx context.Context, m lock.Model, title string, work func(context.Context, weights.Job) error) error {
	c, err := h.hub()
	if err != nil {
		return err
	}
	job, err := weights.NewJob(c.Locate(m))
	if err != nil {
		return err
	}
	job.Source = c
	return job.Show(ctx, title, h.watch(Moving), work)
}
