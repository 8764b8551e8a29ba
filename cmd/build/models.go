package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/hub"
	"lamina.build/internal/layout"
	"lamina.build/internal/model"
	"lamina.build/internal/output"
	"lamina.build/internal/registry"
	"lamina.build/internal/report"
	"lamina.build/internal/solve"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// modelsDir is the folder of the cache folder with the models that were pulled
// or made, an OCI layout with a tag for each.
const modelsDir = "models"

// hub is the client for models, with what the environment says.
func (a *app) hub() (*hub.Client, error) {
	return hub.New(hub.Options{
		Endpoint: a.env("HF_ENDPOINT"), Token: hub.Token(a.env("HF_TOKEN")),
		Note: func(line string) { a.ui.note("%s", line) },
	})
}

// lockModels finds the files of all models that have to be fetched.
func (a *app) lockModels(ctx context.Context, requests []lock.ModelRequest, before lock.Lock) ([]lock.Model, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	c, err := a.hub()
	if err != nil {
		return nil, err
	}
	return model.Lock(ctx, model.LockOptions{
		Client: c, Requests: requests, Before: before,
		Note: func(line string) { a.ui.note("%s", line) },
	})
}

// move is how a locked model is moved.
func move(c *hub.Client, m lock.Model) (weights.Job, error) {
	layers, err := weights.Layers(model.Name(m.ModelRequest), m, weights.MaxLayers)
	return weights.Job{Model: m, Layers: layers, Source: model.Source(c, m)}, err
}

// findModels opens the layout of models, which has to be there if somebody names it.
func (a *app) findModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); err != nil { //nolint:gosec // the user names the path
			err := fault.New(fault.Usage, fmt.Errorf("folder %q holds no models", dir))
			return nil, fault.WithHint(err, fmt.Sprintf("\"build model pull %s\" brings them there", dir))
		}
	}
	return a.openModels(ctx, dir)
}

func (a *app) openModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir == "" {
		cache, err := a.cacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(cache, modelsDir)
	}
	return layout.Open(ctx, dir)
}

// images are the models of the spec that were locked, in the order of the spec;
// those from a folder are left out. A published one is in its registry, another
// in the layout of models: the engine makes what is not there. Without an engine
// that is drawn and not made.
func (j job) images(ctx context.Context, e *engine.Engine) ([]stages.Model, error) {
	images := make([]stages.Model, len(j.spec.Models))
	for i, m := range j.spec.Models {
		if _, local := m.Local(); local || !j.hasWeights() {
			continue
		}
		locked, ok := j.lock.Model(m.Request())
		if !ok {
			return nil, fmt.Errorf("the lock has no model %q", m.From)
		}
		image, err := j.image(ctx, e, locked)
		if err != nil {
			return nil, &modelError{m.From, err}
		}
		images[i] = image
	}
	return images, nil
}

// modelError is why a model can't be part of an image.
type modelError struct {
	from string
	err  error
}

func (e *modelError) Error() string { return fmt.Sprintf("model %q: %v", e.from, e.err) }
func (e *modelError) Unwrap() error { return e.err }

func (j job) image(ctx context.Context, e *engine.Engine, m lock.Model) (stages.Model, error) {
	c, err := j.app.hub()
	if err != nil {
		return stages.Model{}, err
	}
	work, err := move(c, m)
	if err != nil {
		return stages.Model{}, err
	}
	image := llb.ModelImage{
		Name: model.Name(m.ModelRequest), Store: llb.ModelStoreID, Layers: model.Outline(work.Layers),
	}
	published, err := j.published(ctx, e, m)
	if err != nil {
		return stages.Model{}, err
	}
	if published {
		image.Reference = m.Published
		return stages.Model{Image: &image}, nil
	}
	found, ok, err := work.Find(ctx, j.models)
	if err == nil && !ok {
		if e == nil {
			return stages.Model{Image: &image, Fetched: model.Fetched(c, m, work.Layers)}, nil
		}
		found, err = j.fetch(ctx, e, c, work)
	}
	image.Manifest = found.Manifest.Digest
	return stages.Model{Image: &image}, err
}

// published says whether the registry still has what the lock says that was
// published, which costs one small request. Where the client can't reach the registry
// the engine may; nobody is asked where nothing is built.
func (j job) published(ctx context.Context, e *engine.Engine, m lock.Model) (bool, error) {
	if m.Published == "" || m.Plan != lock.ModelPlan || e == nil {
		return m.Published != "" && m.Plan == lock.ModelPlan, nil
	}
	where, sum, _ := strings.Cut(m.Published, "@")
	insecure := slices.ContainsFunc(j.outputs, func(o output.Output) bool { return o.Insecure })
	r, err := registry.Open(ctx, where, registry.Options{Insecure: insecure, Attempts: publishedAttempts})
	if err == nil {
		_, _, err = r.Manifest(ctx, sum)
	}
	switch {
	case errors.Is(err, registry.ErrNotFound):
		j.app.ui.note("%s is not there any more: \"build model push\" publishes it again", m.Published)
		return false, nil
	case err != nil && fault.KindOf(err) == fault.Usage:
		return false, err
	}
	return true, nil
}

// publishedAttempts is how often a registry is asked before the engine has to
// find out by itself.
const publishedAttempts = 3

// fetch has the engine fetch a model's files and make its layers, which are then
// kept for all builds to come.
func (j job) fetch(ctx context.Context, e *engine.Engine, c *hub.Client, work weights.Job) (weights.Image, error) {
	j.app.ui.note("fetching %s of %s through the engine; \"build model push\" publishes them once and for all builds",
		report.Size(work.Model.Size()), model.Name(work.Model.ModelRequest))
	var result solve.Result
	err := j.patiently(ctx, c, work.Model, func() (err error) {
		result, err = j.run(ctx, e, j.fetchRequest(c, work))
		return err
	})
	if err != nil {
		return weights.Image{}, err
	}
	made, err := layout.Images(ctx, j.models.Store(), result.Descriptor)
	if err != nil {
		return weights.Image{}, err
	}
	var layers []digest.Digest
	for _, image := range made {
		for _, l := range image.Layers() {
			layers = append(layers, l.Digest)
		}
	}
	kept, err := work.Keep(ctx, j.models, layers)
	if err != nil || kept.Manifest.Digest == result.Descriptor.Digest {
		return kept, err
	}
	// The engine's own manifest is of no use. A sweep would take more than that:
	// layers of a pull that was cut have no tag yet, either.
	return kept, j.models.Store().Delete(ctx, result.Descriptor.Digest)
}

func (j job) fetchRequest(c *hub.Client, work weights.Job) solve.Request {
	platform := platforms.MustParse(j.spec.Platform) // the spec was checked
	out := output.Output{Type: output.OCI, Compression: output.Uncompressed, Level: output.DefaultLevel}
	attrs := attributes(out, false)
	return solve.Request{
		Image: stages.Image{
			State:  llb.Merge("weights", model.Fetched(c, work.Model, work.Layers)...),
			Config: ocispec.Image{Platform: platform},
		},
		Store:   j.store,
		Exports: []client.ExportEntry{{Type: client.ExporterOCI, Attrs: attrs, OutputStore: j.models.Store()}},
		Session: []session.Attachable{j.app.logins(), j.app.hubSecrets(c, work.Model)},
	}
}

// hubSecrets has the token for the host of the hub, and for no other.
func (a *app) hubSecrets(c *hub.Client, m lock.Model) session.Attachable {
	secrets := map[string][]byte{}
	if token := a.env("HF_TOKEN"); token != "" {
		if _, _, isHub := m.Repository(); isHub {
			// An engine that fetches from a host asks for this by itself (source/http).
			secrets["HTTP_AUTH_TOKEN_"+hostOf(model.File(c, m, m.Files[0]).URL)] = []byte(token)
		}
	}
	return secretsprovider.FromMap(secrets)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// patiently tries again what failed for a reason that passes, and says of
// what the engine could not fetch why: it hashes whatever a server answers.
func (j job) patiently(ctx context.Context, c *hub.Client, m lock.Model, work func() error) error {
	for n := 0; ; n++ {
		err := work()
		f, ok := fileOf(c, m, err)
		if !ok || ctx.Err() != nil {
			return err
		}
		err = c.Diagnose(ctx, f, err)
		if n == fetchRetries || fault.KindOf(err) != fault.Transient && !errors.Is(err, hub.ErrBytes) {
			return err
		}
		j.app.ui.note("%v: trying again", err)
		pause(ctx, time.Second<<n)
	}
}

// fileOf is the file that the engine failed to fetch.
func fileOf(c *hub.Client, m lock.Model, err error) (hub.File, bool) {
	step, ok := errors.AsType[*solve.Error](err)
	if !ok || step.URL == "" {
		return hub.File{}, false
	}
	i := slices.IndexFunc(m.Files, func(f lock.ModelFile) bool { return model.File(c, m, f).URL == step.URL })
	if i < 0 {
		return hub.File{}, false
	}
	return model.File(c, m, m.Files[i]), true
}

// modelNames are what people call the models of a lock: by the name that the spec
// gives one, else by where it comes from.
func (p *project) modelNames(l lock.Lock) ([]string, error) {
	names := make([]string, len(l.Models))
	for i, m := range l.Models {
		names[i] = model.Name(m.ModelRequest)
	}
	for _, variant := range p.file.Variants() {
		s, err := p.file.Variant(variant)
		if err != nil {
			return nil, err
		}
		for _, wanted := range s.Models {
			i := slices.IndexFunc(l.Models, func(m lock.Model) bool { return m.Compare(wanted.Request()) == 0 })
			if i >= 0 && wanted.Name != "" {
				names[i] = wanted.Name
			}
		}
	}
	return names, nil
}
