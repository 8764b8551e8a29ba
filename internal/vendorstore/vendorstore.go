// Package vendorstore keeps in a folder what locks name, so that images can be built from
// it when nobody else has it any more. It is an OCI layout: each file is a blob as it was
// locked, and a manifest for each project lists them by their names.
package vendorstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
)

const (
	artifactType = "application/vnd.lamina.sources.v1"
	mediaType    = "application/octet-stream"
	commitKey    = "build.lamina.commit" // annotation of a git tree's bundle
)

// Source is something that a lock or a spec names.
type Source struct {
	Name   string        // for people: "libc6_2.36-9_amd64.deb"
	Digest digest.Digest // of the file; "" of a git tree
	Size   int64         // of the file
	Commit string        // of a git tree, which is kept as a bundle
}

// Key is what a graph knows the source by.
func (s Source) Key() string {
	if s.Commit != "" {
		return s.Commit
	}
	return s.Digest.String()
}

// Store is an open folder.
type Store struct {
	*layout.Layout

	bundles map[string]ocispec.Descriptor // by commit
}

// Make opens the store in a folder, and makes it where there is none.
func Make(ctx context.Context, dir string) (*Store, error) {
	l, err := layout.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{Layout: l, bundles: map[string]ocispec.Descriptor{}}
	if err = s.read(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("reading what is vendored: %w", err), l.Close())
	}
	return s, nil
}

// Open opens the store in a folder that has one.
func Open(ctx context.Context, dir string) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, failure.New(failure.Usage, err)
		}
		err = failure.New(failure.Usage, fmt.Errorf("folder %q holds no vendored sources", dir))
		return nil, failure.WithHint(err, fmt.Sprintf("\"build vendor %s\" brings them there", dir))
	}
	return Make(ctx, dir)
}

// read finds the bundles in the lists of all projects.
func (s *Store) read(ctx context.Context) error {
	tags, err := s.Tags()
	if err != nil {
		return err
	}
	for _, tag := range tags {
		image, err := s.Read(ctx, tag)
		if err != nil {
			return err
		}
		for _, d := range image.Manifest.Layers {
			if commit := d.Annotations[commitKey]; commit != "" {
				s.bundles[commit] = d
			}
		}
	}
	return nil
}

// descriptor is what is known of a source's blob; ok is false for a tree without a bundle.
func (s *Store) descriptor(source Source) (d ocispec.Descriptor, ok bool) {
	if d, ok = s.bundles[source.Commit]; source.Commit == "" {
		d, ok = ocispec.Descriptor{Digest: source.Digest, Size: source.Size}, true
	}
	return d, ok
}

// Find returns the blobs of sources by their keys, as far as names and sizes tell, and
// which sources there are none of.
func (s *Store) Find(ctx context.Context, sources []Source) (found map[string]digest.Digest, missing []Source, err error) {
	found = map[string]digest.Digest{}
	for _, source := range sources {
		d, ok := s.descriptor(source)
		if ok {
			info, err := s.Store().Info(ctx, d.Digest)
			if err != nil && !errdefs.IsNotFound(err) {
				return nil, nil, err
			}
			ok = err == nil && info.Size == d.Size
		}
		if ok {
			found[source.Key()] = d.Digest
		} else {
			missing = append(missing, source)
		}
	}
	return found, missing, nil
}

// Check reads all of the sources, and returns what is missing or altered, one fault each.
func (s *Store) Check(ctx context.Context, sources []Source) ([]error, error) {
	faults := make([]error, len(sources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, source := range sources {
		group.Go(func() error {
			faults[i] = s.check(ctx, source)
			return ctx.Err()
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(faults, func(fault error) bool { return fault == nil }), err
}

// readers is how many blobs are hashed, and fetched, at once.
const readers = 8

func (s *Store) check(ctx context.Context, source Source) error {
	d, ok := s.descriptor(source)
	if !ok {
		return fmt.Errorf("%s is missing", source.Name)
	}
	r, err := s.Store().ReaderAt(ctx, d)
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("%s is missing", source.Name)
	}
	if err != nil {
		return fmt.Errorf("%s can't be read: %w", source.Name, err)
	}
	defer r.Close()
	got, err := digest.FromReader(io.NewSectionReader(r, 0, r.Size()))
	switch {
	case err != nil:
		return fmt.Errorf("%s can't be read: %w", source.Name, err)
	case got != d.Digest:
		return fmt.Errorf("%s is altered: the sha256 of %s is %s", source.Name, filepath.Join(s.Dir(), ocispec.ImageBlobsDir, "sha256", d.Digest.Encoded()), got.Encoded())
	}
	return nil
}

// Fill brings in what is missing or altered, and lists all under a tag. What fetch writes
// is kept if it is what was locked. After any error the next Fill goes on with the rest.
func (s *Store) Fill(ctx context.Context, tag string, sources []Source, fetch func(context.Context, Source, io.Writer) error) (fetched int, err error) {
	var mu sync.Mutex
	faults := make([]error, len(sources))
	list := make([]ocispec.Descriptor, len(sources))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, source := range sources {
		group.Go(func() error {
			if err := groupCtx.Err(); err != nil {
				return err
			}
			d, ok := s.descriptor(source)
			if fault := s.check(groupCtx, source); fault != nil {
				if ok { // an altered one is in the way
					_ = s.Store().Delete(groupCtx, d.Digest)
				}
				if d, faults[i] = s.add(groupCtx, source, fetch); faults[i] == nil {
					mu.Lock()
					fetched++
					mu.Unlock()
				}
			}
			list[i] = ocispec.Descriptor{MediaType: mediaType, Digest: d.Digest, Size: d.Size, Annotations: map[string]string{ocispec.AnnotationTitle: source.Name}}
			if source.Commit != "" {
				list[i].Annotations[commitKey] = source.Commit
			}
			if failure.KindOf(faults[i]) == failure.Transient { // the others would wait for the same
				return faults[i]
			}
			return groupCtx.Err()
		})
	}
	if err = group.Wait(); ctx.Err() != nil {
		return fetched, context.Cause(ctx)
	}
	if err != nil {
		return fetched, err
	}
	if err = errors.Join(faults...); err != nil {
		return fetched, err
	}
	return fetched, s.list(ctx, tag, list)
}

// add fetches one source.
func (s *Store) add(ctx context.Context, source Source, fetch func(context.Context, Source, io.Writer) error) (d ocispec.Descriptor, err error) {
	ref := "vendor-" + source.Key()
	w, err := content.OpenWriter(ctx, s.Store(), content.WithRef(ref), content.WithDescriptor(ocispec.Descriptor{Digest: source.Digest, Size: source.Size}))
	if err != nil {
		return d, fmt.Errorf("storing %s: %w", source.Name, err)
	}
	defer func() {
		if err != nil {
			_ = w.Close()
			_ = s.Store().Abort(context.WithoutCancel(ctx), ref)
		}
	}()
	if err = fetch(ctx, source, w); err != nil {
		return d, fmt.Errorf("fetching %s: %w", source.Name, err)
	}
	status, err := w.Status()
	if err != nil {
		return d, fmt.Errorf("storing %s: %w", source.Name, err)
	}
	d = ocispec.Descriptor{Digest: w.Digest(), Size: status.Offset}
	switch {
	case source.Commit != "":
	case d.Size != source.Size:
		return d, fmt.Errorf("fetching %s: it has %d bytes, and not %d as it is locked", source.Name, d.Size, source.Size)
	case d.Digest != source.Digest:
		return d, fmt.Errorf("fetching %s: its sha256 is %s, and not %s as it is locked", source.Name, d.Digest.Encoded(), source.Digest.Encoded())
	}
	if err = w.Commit(ctx, d.Size, d.Digest); err != nil && !errdefs.IsAlreadyExists(err) {
		return d, fmt.Errorf("storing %s: %w", source.Name, err)
	}
	return d, nil
}

// list names the blobs in one manifest, and removes what no manifest names any more.
func (s *Store) list(ctx context.Context, tag string, layers []ocispec.Descriptor) error {
	slices.SortFunc(layers, func(a, b ocispec.Descriptor) int {
		return strings.Compare(a.Annotations[ocispec.AnnotationTitle]+a.Digest.String(), b.Annotations[ocispec.AnnotationTitle]+b.Digest.String())
	})
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: ocispec.DescriptorEmptyJSON, Layers: layers,
	})
	if err != nil {
		return err
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	for _, blob := range []struct {
		ocispec.Descriptor
		data []byte
	}{{ocispec.DescriptorEmptyJSON, ocispec.DescriptorEmptyJSON.Data}, {d, manifest}} {
		if err = content.WriteBlob(ctx, s.Store(), "vendor-"+blob.Digest.String(), bytes.NewReader(blob.data), blob.Descriptor); err != nil {
			return fmt.Errorf("storing the list of %q: %w", tag, err)
		}
	}
	if err = s.Tag(ctx, tag, d); err == nil {
		_, err = s.Sweep(ctx)
	}
	return err
}
