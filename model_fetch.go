package lamina

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/humanize"
	"lamina.build/internal/layout"
	"lamina.build/internal/solve"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/stages"
)

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
		work, err := divide(locked)
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

// fetch has the engine fetch a model's files and make its layers, which are then
// kept for all builds to come.
func (j job) fetch(ctx context.Context, e *engine.Engine, c *hub.Client, work weights.Job) (weights.Image, error) {
	// The engine's own disk was looked at when it was opened.
	if err := weights.CheckSpace(j.models.Dir(), work.Model.Size()); err != nil {
		return weights.Image{}, err
	}
	j.note("fetching %s of %s through the engine; \"build model push\" publishes them once and for all builds",
		humanize.Size(work.Model.Size()), work.Model.Name())
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
	export := solve.Entry(output.Output{Type: output.OCI, Compression: output.Uncompressed}, false)
	export.OutputStore = j.models.Store()
	return solve.Request{
		Image: stages.Image{
			State:  llb.Merge("weights", weights.Fetched(c, work.Model, work.Layers)...),
			Config: ocispec.Image{Platform: platform},
		},
		Store:   j.store,
		Exports: []client.ExportEntry{export},
		Session: []session.Attachable{j.dockerLogins(), j.hubSecrets(c, work.Model)},
	}
}

// hubSecrets has the token for the host of the hub, and for no other.
func (h *host) hubSecrets(c *hub.Client, m lock.Model) session.Attachable {
	secrets := map[string][]byte{}
	if token := h.hubToken(); token != "" {
		if _, _, isHub := m.Repository(); isHub {
			// An engine that fetches from a host asks for this by itself (source/http).
			secrets["HTTP_AUTH_TOKEN_"+hostOf(weights.File(c, m, m.Files[0]).URL)] = []byte(token)
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
		if n == fetchRetries || failure.KindOf(err) != failure.Transient && !errors.Is(err, hub.ErrBytes) {
			return err
		}
		j.note("%v: trying again", err)
		_ = failure.Pause(ctx, time.Second<<n) // the next attempt says what ended
	}
}

// fileOf is the file that the engine failed to fetch.
func fileOf(c *hub.Client, m lock.Model, err error) (hub.File, bool) {
	step, ok := errors.AsType[*solve.Error](err)
	if !ok || step.URL == "" {
		return hub.File{}, false
	}
	i := slices.IndexFunc(m.Files, func(f lock.ModelFile) bool { return weights.File(c, m, f).URL == step.URL })
	if i < 0 {
		return hub.File{}, false
	}
	return weights.File(c, m, m.Files[i]), true
}
