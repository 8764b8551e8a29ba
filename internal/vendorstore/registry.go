package vendorstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// remote is a repository with a tag that lists the sources.
type remote struct {
	repository *registry.Repository
	tag        name.Tag
}

// OpenRegistry opens the store that a reference with a tag names: "registry.example/sources:1".
// If create is set, it need not exist.
func OpenRegistry(ctx context.Context, reference string, create bool, o registry.Options) (*Store, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("reference %q: %w", reference, err))
	}
	repository, err := registry.Open(ctx, reference, o)
	if err != nil {
		return nil, err
	}
	r := remote{repository, tag}
	s, err := open(ctx, r)
	if err == nil && !create && !s.listed {
		return nil, nothing(r.Name(), "oci://"+reference)
	}
	return s, err
}

func (r remote) lists(ctx context.Context) ([]ocispec.Manifest, error) {
	_, data, err := r.repository.Manifest(ctx, r.tag.TagStr())
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	var m ocispec.Manifest
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && m.ArtifactType != artifactType {
		err = failure.New(failure.Usage, fmt.Errorf("%s is not a store of sources", r.Name()))
	}
	return []ocispec.Manifest{m}, err
}

func (r remote) has(ctx context.Context, d ocispec.Descriptor) (bool, error) {
	return r.repository.Has(ctx, d.Digest)
}

// keep streams a file. A bundle is stored first, since its digest isn't known before.
func (r remote) keep(ctx context.Context, source Source, fill func(io.Writer) error) (d ocispec.Descriptor, err error) {
	if source.Commit != "" {
		return r.keepBundle(ctx, fill)
	}
	d = ocispec.Descriptor{Digest: source.Digest, Size: source.Size}
	body, w := io.Pipe()
	filled := make(chan error, 1)
	go func() {
		problem := fill(w)
		filled <- problem
		_ = w.CloseWithError(problem)
	}()
	err = r.repository.Whole(ctx, d.Digest, d.Size, body)
	_ = body.CloseWithError(err)
	if problem := <-filled; problem != nil && !errors.Is(problem, io.ErrClosedPipe) && (err == nil || !errors.Is(problem, err)) {
		return d, problem
	}
	return d, err
}

func (r remote) keepBundle(ctx context.Context, fill func(io.Writer) error) (d ocispec.Descriptor, err error) {
	f, err := os.CreateTemp("", "lamina-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = os.Remove(f.Name()) // nothing stays behind, whatever happens
	got := &counter{hash: digest.Canonical.Digester(), w: f}
	if err == nil {
		err = fill(got)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return d, err
	}
	d = ocispec.Descriptor{Digest: got.hash.Digest(), Size: got.size}
	return d, r.repository.Whole(ctx, d.Digest, d.Size, f)
}

func (r remote) list(ctx context.Context, _ string, manifest []byte) error {
	_, err := r.repository.PutBlob(ctx, ocispec.DescriptorEmptyJSON.Data)
	if err == nil {
		err = r.repository.PutManifest(ctx, r.tag.TagStr(), ocispec.MediaTypeImageManifest, manifest)
	}
	return err
}

func (r remote) where(d digest.Digest) string { return r.repository.Name() + "@" + d.String() }

func (r remote) trusted() bool { return true }

func (r remote) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	return r.repository.Blob(ctx, d)
}

// Identifier makes the engine itself read the registry.
func (r remote) Identifier(d digest.Digest) string {
	repository := r.repository.Name()
	if hub, ok := strings.CutPrefix(repository, name.DefaultRegistry+"/"); ok { // engines name it differently
		repository = "docker.io/" + hub
	}
	return "docker-image+blob://" + repository + "@" + d.String()
}

func (r remote) Name() string { return r.repository.Name() + ":" + r.tag.TagStr() }

func (r remote) Close() error { return nil }
