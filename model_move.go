package lamina

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// pushesDir is the directory, in the cache directory, of the journals of uploads and the
// digests of layers that were made.
const pushesDir = "pushes"

func (h *host) pushes() string { return filepath.Join(h.cacheDir, pushesDir) }

// PushOptions are options for publishing a model.
type PushOptions struct {
	Model     string   // its name, if the lock has several
	Insecure  bool     // allow plain HTTP and untrusted certificates
	MaxLayer  int64    // bytes: the registry accepts layers up to this size, instead of its known limit
	NoLimits  bool     // don't check the layers against the registry's known limits
	MountFrom []string // repositories of the registry that may already have the layers
	ModelPack bool     // also push the same layers as a ModelPack, under a second tag that ends in "-modelpack"
}

// Moved is a model that was published or pulled.
type Moved struct {
	Model     lock.Model
	Layers    int
	Reference string        // of the published model, by digest
	ModelPack string        // the same as a ModelPack, by tag
	Dir       string        // of the layout that it was pulled to
	Manifest  digest.Digest // of the image of its layers
	Unchanged bool          // nothing had to be transferred
}

// Push streams a model from its locked source to a registry, as layers for images, and
// writes the layers into the lock, and the repository if the spec names it: builds use no
// other.
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
	m.Layers = image.Locked()
	if place := p.placeOf(*m, reference); place != "" {
		m.Published = place + "@" + image.Manifest.Digest.String()
	} else {
		where, _, _ := strings.Cut(reference, "@")
		p.note("builds don't use it yet, since the spec doesn't name the repository: add %s below its [[model]] in %s and push again; nothing is sent twice", placeLine(where), SpecName)
	}
	moved = Moved{Model: *m, Layers: len(image.Layers), Reference: reference, Manifest: image.Manifest.Digest, Unchanged: image.Unchanged}
	if tag, err := name.NewTag(to); err == nil && o.ModelPack {
		moved.ModelPack = tag.Name() + weights.ModelPackSuffix
	}
	return moved, p.WriteLock(locked.lock)
}

// placeLine returns the line of a spec that allows a model to be published in a repository.
func placeLine(place string) string { return fmt.Sprintf("published = %q", place) }

// placeOf returns the repository of a reference as the spec writes it, "" if the spec has another.
func (p *Project) placeOf(m lock.Model, reference string) string {
	pushed, err := name.ParseReference(reference)
	for _, place := range p.requirements.Lock.PlacesOf(m.ModelRequest) {
		if named, unnamed := name.NewRepository(place); err == nil && unnamed == nil && named.Name() == pushed.Context().Name() {
			return place
		}
	}
	return ""
}

// knownLayers returns the layers of a model as this machine made them before, or as they
// are published; none if they are unknown.
func (h *host) knownLayers(ctx context.Context, m lock.Model) []lock.ModelLayer {
	work, err := weights.NewJob(m)
	if err != nil {
		return nil // reported when the layers are needed
	}
	if known := work.Remembered(h.pushes()); known != nil {
		return known
	}
	if m.Layers != nil || m.Published == "" {
		return m.Layers
	}
	var image weights.Image
	options := h.reading(false)
	options.HTTP.Attempts = publishedAttempts
	r, err := registry.Open(ctx, m.Place(), options)
	if err == nil {
		image, err = work.CheckPublished(ctx, r, h.pushes())
	}
	if err != nil {
		h.note("%s can't be read: %v", m.Published, err)
		return nil
	}
	return image.Locked()
}

// Pull streams a model into the OCI layout in a directory; "" is the one in the cache
// directory, which all builds search.
func (p *Project) Pull(ctx context.Context, model, dir string) (moved Moved, err error) {
	locked, err := p.models()
	if err != nil {
		return moved, err
	}
	i, err := locked.pick(model)
	if err != nil {
		return moved, err
	}
	return p.pull(ctx, locked.lock, i, dir)
}

// pull streams one model of a lock, and records its layers.
func (p *Project) pull(ctx context.Context, l lock.Lock, i int, dir string) (moved Moved, err error) {
	store, err := p.openModels(ctx, dir)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m := &l.Models[i]
	var image weights.Image
	err = p.transfer(ctx, *m, "pulling to "+store.Dir(), func(ctx context.Context, job weights.Job) (err error) {
		image, err = weights.Pull(ctx, weights.PullOptions{Job: job, Dir: store.Dir(), Tag: job.LayoutTag()})
		if err == nil {
			err = errors.Join(job.CheckLayers(image), job.Remember(p.pushes(), image))
		}
		return err
	})
	if m.Layers = image.Locked(); err == nil && unix.Access(p.dir, unix.W_OK) == nil { // a lock that can't be written stays valid
		err = p.WriteLock(l)
	}
	return Moved{Model: *m, Layers: len(image.Layers), Dir: store.Dir(), Manifest: image.Manifest.Digest}, err
}

// push streams a model to a registry and returns its reference there, by digest.
func (h *host) push(ctx context.Context, o PushOptions, m lock.Model, to string) (weights.Image, string, error) {
	reference, err := name.ParseReference(to)
	if err != nil {
		return weights.Image{}, "", failure.New(failure.Usage, fmt.Errorf("reference %q: %w", to, err))
	}
	tag, ok := reference.(name.Tag)
	if !ok {
		return weights.Image{}, "", failure.New(failure.Usage, fmt.Errorf("reference %q has a digest, which only the push determines", to))
	}
	options := h.registry(o.Insecure)
	options.Limits = registry.LimitsOf(reference.Context().RegistryStr()).With(o.MaxLayer, o.NoLimits)
	repository, err := registry.Open(ctx, to, options)
	if err != nil {
		return weights.Image{}, "", err
	}
	push := weights.PushOptions{
		Repository: repository, Tag: tag.TagStr(), Published: h.elsewhere(ctx, o, m, repository), MountFrom: o.MountFrom,
		ModelPack: o.ModelPack, Journal: h.pushes(),
	}
	var image weights.Image
	err = h.transfer(ctx, m, "pushing to "+repository.Name(), func(ctx context.Context, job weights.Job) (err error) {
		push.Job = job
		if image, err = weights.Push(ctx, push); err == nil {
			err = job.CheckLayers(image)
		}
		return err
	})
	return image, repository.Name() + "@" + image.Manifest.Digest.String(), err
}

// elsewhere opens the repository that has the layers according to the lock, if that is
// another one on the same registry.
func (h *host) elsewhere(ctx context.Context, o PushOptions, m lock.Model, to *registry.Repository) *registry.Repository {
	where := m.Place()
	host, _, _ := strings.Cut(where, "/")
	if where == "" || where == to.Name() || !strings.HasPrefix(to.Name(), host+"/") {
		return nil
	}
	r, err := registry.Open(ctx, where, h.reading(o.Insecure))
	if err != nil {
		h.note("%s can't be searched for the layers: %v", where, err)
		return nil
	}
	return r
}

// transfer transfers a model and shows the progress.
func (h *host) transfer(ctx context.Context, m lock.Model, title string, work func(context.Context, weights.Job) error) error {
	c, err := h.hub()
	if err != nil {
		return err
	}
	job, err := weights.NewJob(c.Locate(m))
	if err != nil {
		return unpublishable(err)
	}
	job.Source = c
	return unpublishable(job.Show(ctx, title, h.watch(Work{Task: Moving}), work))
}
