package weights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/lock"
)

// Locked returns the image's layers in the form of a lock.
func (i Image) Locked() []lock.ModelLayer {
	list := make([]lock.ModelLayer, len(i.Layers))
	for k, l := range i.Layers {
		list[k] = lock.ModelLayer{Size: l.Size, Digest: l.Digest, DiffID: l.Digest}
	}
	return list
}

// lie returns an error with all differences between something and the lock. A build
// stops there: if a size is wrong, nothing else can be trusted.
func lie(what string, problems ...error) error {
	err := errors.Join(problems...)
	if err == nil {
		return nil
	}
	return failure.New(failure.Findings, fmt.Errorf("%s does not match the lock: %w", what, err))
}

// checkLock compares the layers of the lock with the plan. It ignores layers of another
// plan version.
func (j Job) checkLock() error {
	locked := j.locked()
	if locked == nil {
		return nil
	}
	if len(locked) != len(j.Layers) {
		return lie("the plan", fmt.Errorf("it has %d layers, and the lock has %d", len(j.Layers), len(locked)))
	}
	problems := make([]error, len(locked))
	for i, l := range locked {
		if l.Size != j.Layers[i].Size {
			problems[i] = fmt.Errorf("layer %q has %d bytes, but %d in the lock", j.Layers[i].Name, j.Layers[i].Size, l.Size)
		}
	}
	return lie("the plan", problems...)
}

// locked returns the lock's layers, or nil if it has none of this plan version.
func (j Job) locked() []lock.ModelLayer {
	if j.Model.Plan != lock.ModelPlan || len(j.Model.Layers) == 0 {
		return nil
	}
	return j.Model.Layers
}

// CheckLayers compares layers that somebody else made with those of the lock.
func (j Job) CheckLayers(image Image) error {
	locked := j.locked()
	if locked == nil {
		return nil
	}
	problems := make([]error, len(locked))
	for i, l := range image.Locked() {
		if l != locked[i] {
			problems[i] = fmt.Errorf("layer %q has the digest %s, but %s in the lock", j.Layers[i].Name, l.Digest, locked[i].Digest)
		}
	}
	return lie("the result", problems...)
}

// CheckPublished checks what the lock's published reference names before it becomes part
// of an image: the manifest, the configuration, and the headers of each layer's tar, some
// kilobytes. A difference from the lock or the plan has the kind [failure.Findings]; any
// other error means that the registry can't be read. Contents are not checked, see
// [Job.VerifyPublished]. dir is the directory of [PushOptions.Journal].
func (j Job) CheckPublished(ctx context.Context, r *registry.Repository, dir string) (Image, error) {
	_, sum, _ := strings.Cut(j.Model.Published, "@")
	desc, data, err := r.Manifest(ctx, sum)
	if err != nil {
		return Image{}, asLie(err)
	}
	var m ocispec.Manifest
	if err = json.Unmarshal(data, &m); err != nil {
		return Image{}, lie(j.Model.Published, fmt.Errorf("reading its manifest: %w", err))
	}
	if err = j.checkManifest(j.Model.Published, desc.MediaType, m); err != nil {
		return Image{}, err
	}
	config, err := r.ReadBlob(ctx, m.Config.Digest)
	if err != nil {
		return Image{}, asLie(err)
	}
	var c ocispec.Image
	if err = json.Unmarshal(config, &c); err != nil {
		return Image{}, lie(j.Model.Published, fmt.Errorf("reading its configuration: %w", err))
	}
	return Image{Manifest: desc, Layers: m.Layers, Unchanged: true}, j.checkImage(ctx, j.Model.Published, m, c, journal{dir: dir}, published{r})
}

// CheckPulled checks the image of the model in a layout as [Job.CheckPublished] does.
func (j Job) CheckPulled(ctx context.Context, l *layout.Layout, dir string) error {
	found, err := l.Read(ctx, j.LayoutTag())
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the model in %s", l.Dir())
	if err = j.checkManifest(what, found.Desc.MediaType, found.Manifest); err != nil {
		return err
	}
	return j.checkImage(ctx, what, found.Manifest, found.Config.Image, journal{dir: dir}, pulled{l.Store()})
}

// asLie treats content of another digest as a finding, not as a network error: the
// registry client already retries a truncated manifest.
func asLie(err error) error {
	if _, ok := errors.AsType[*registry.MismatchError](err); ok {
		return failure.New(failure.Findings, err)
	}
	return err
}

// checkManifest requires the layers of the plan, uncompressed, and the lock's digests
// where it has them.
func (j Job) checkManifest(what, mediaType string, m ocispec.Manifest) error {
	const manifest, config = ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig
	if mediaType != manifest || m.MediaType != manifest || m.Config.MediaType != config || m.Config.Digest.Validate() != nil {
		return lie(what, fmt.Errorf("it is %q and %q with %q, not an image of \"build model push\"", mediaType, m.MediaType, m.Config.MediaType))
	}
	if len(m.Layers) != len(j.Layers) {
		return lie(what, fmt.Errorf("it has %d layers, and the plan has %d", len(m.Layers), len(j.Layers)))
	}
	locked := j.locked()
	problems := make([]error, 0, len(m.Layers)+1)
	for i, l := range m.Layers {
		name := j.Layers[i].Name
		switch bare := (ocispec.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size}); {
		case l.MediaType != ocispec.MediaTypeImageLayer:
			problems = append(problems, fmt.Errorf("layer %q is %q: weights are published uncompressed", name, l.MediaType))
		case l.Digest.Validate() != nil || l.Digest.Algorithm() != digest.SHA256:
			problems = append(problems, fmt.Errorf("layer %q has the digest %q", name, l.Digest))
		case l.Size != j.Layers[i].Size:
			problems = append(problems, fmt.Errorf("layer %q has %d bytes, but %d in the plan", name, l.Size, j.Layers[i].Size))
		case locked != nil && l.Digest != locked[i].Digest:
			problems = append(problems, fmt.Errorf("layer %q has the digest %s, but %s in the lock", name, l.Digest, locked[i].Digest))
		case !reflect.DeepEqual(l, bare): // an engine may use URLs and annotations
			problems = append(problems, fmt.Errorf("layer %q has more fields than type, digest and size", name))
		}
	}
	if _, ok := j.recognise(m); !ok && len(problems) == 0 {
		problems = append(problems, errors.New("its annotations name other files, or another plan"))
	}
	return lie(what, problems...)
}

// checkImage requires the configuration to have the layers of the manifest, and the
// layers to have the headers of the plan.
func (j Job) checkImage(ctx context.Context, what string, m ocispec.Manifest, c ocispec.Image, known journal, blobs blobs) error {
	if !slices.Equal(c.RootFS.DiffIDs, digests(m)) {
		return lie(what, fmt.Errorf("its configuration has the diffIDs %v, but its layers are %v", c.RootFS.DiffIDs, digests(m)))
	}
	lies := make([]error, len(m.Layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(j.complete().Jobs)
	for i, l := range m.Layers {
		group.Go(func() error {
			err := j.Layers[i].check(ctx, l.Digest, known, blobs)
			if failure.KindOf(err) == failure.Findings {
				lies[i], err = fmt.Errorf("layer %q: %w", j.Layers[i].Name, err), nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return lie(what, lies...)
}

func digests(m ocispec.Manifest) []digest.Digest {
	list := make([]digest.Digest, len(m.Layers))
	for i, l := range m.Layers {
		list[i] = l.Digest
	}
	return list
}

// blobs is where layers are read.
type blobs interface {
	// ReadRange passes a range of a blob, or all of it, to look.
	ReadRange(ctx context.Context, d digest.Digest, from, to int64, look func(stretch io.Reader, whole bool) error) error
}

// published are the blobs of a registry.
type published struct{ *registry.Repository }

// pulled are the blobs of a layout.
type pulled struct{ content.Provider }

func (p pulled) ReadRange(ctx context.Context, d digest.Digest, from, to int64, look func(io.Reader, bool) error) (err error) {
	r, err := p.ReaderAt(ctx, ocispec.Descriptor{Digest: d})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return look(io.NewSectionReader(r, from, to-from), false)
}
