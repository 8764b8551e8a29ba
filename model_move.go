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

// pushesDir is the directory of the cache directory that remembers uploads, and what layers
// came to wherever they were made.
const pushesDir = "pushes"

func (h *host) pushes() string { return filepath.Join(h.cacheDir, pushesDir) }

// PushOptions say how a model is published.
type PushOptions struct {
	Model     string   // its name, where the lock has several
	Insecure  bool     // by plain HTTP, or to a registry whose certificate nobody signed
	MaxLayer  int64    // bytes: the registry takes layers up to this size, whatever is known of it
	NoLimits  bool     // don't hold the layers against what is known of the registry
	MountFrom []string // repositories of the registry that may have the layers already
	ModelPack bool     // a second tag, which ends in "-modelpack", names the same layers as a ModelPack
}

// Moved is a model that was published or pulled.
type Moved struct {
	Model     lock.Model
	Layers    int
	Reference string        // where it was published, by its digest
	ModelPack string        // the same as a ModelPack, by its tag
	Dir       string        // of the layout that it was pulled to
	Manifest  digest.Digest // of the image of its layers
	Unchanged bool          // nothing had to be moved
}

// Push streams a model from where it was locked to a registry, as layers that images
// are then built on, and writes layers and place into the lock: the place only where the
// spec names it, since no build goes by another.
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
		p.note("builds don't take it from there yet, since the spec doesn't name the place: write %s below its [[model]] in %s, and push again, which sends nothing twice", placeLine(where), SpecName)
	}
	moved = Moved{Model: *m, Layers: len(image.Layers), Reference: reference, Manifest: image.Manifest.Digest, Unchanged: image.Unchanged}
	if tag, err := name.NewTag(to); err == nil && o.ModelPack {
		moved.ModelPack = tag.Name() + weights.ModelPackSuffix
	}
	return moved, p.WriteLock(locked.lock)
}

// placeLine is the line of a spec that lets a model be published in a repository.
func placeLine(place string) string { return fmt.Sprintf("published = %q", place) }

// placeOf is the repository of a reference as the spec has it, "" where it has another.
func (p *Project) placeOf(m lock.Model, reference string) string {
	pushed, err := name.ParseReference(reference)
	for _, place := range p.requirements.Lock.PlacesOf(m.ModelRequest) {
		if named, unnamed := name.NewRepository(place); err == nil && unnamed == nil && named.Name() == pushed.Context().Name() {
			return place
		}
	}
	return ""
}

// knownLayers are those of a model, as this machine made them before, or as they lie
// where the model is published; none where nobody knows.
func (h *host) knownLayers(ctx context.Context, m lock.Model) []lock.ModelLayer {
	work, err := weights.NewJob(m)
	if err != nil {
		return nil // which those tell who need the layers
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
// directory, which all builds look into.
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

// pull streams one model of a lock, and writes down what its layers came to.
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
	if m.Layers = image.Locked(); err == nil && unix.Access(p.dir, unix.W_OK) == nil { // a lock that can't be written is as good as before
		err = p.WriteLock(l)
	}
	return Moved{Model: *m, Layers: len(image.Layers), Dir: store.Dir(), Manifest: image.Manifest.Digest}, err
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

// elsewhere opens the repository that the lock says has the layers, where that
// is another one on the same registry.
func (h *host) elsewhere(ctx context.Context, o PushOptions, m lock.Model, to *registry.Repository) *registry.Repository {
	where := m.Place()
	host, _, _ := strings.Cut(where, "/")
	if where == "" || where == to.Name() || !strings.HasPrefix(to.Name(), host+"/") {
		return nil
	}
	r, err := registry.Open(ctx, where, h.reading(o.Insecure))
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
		return unpublishable(err)
	}
	job.Source = c
	return unpublishable(job.Show(ctx, title, h.watch(Work{Task: Moving}), work))
}
