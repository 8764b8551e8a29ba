// Package vendorstore keeps what locks name, so that images can be built when it is no longer
// available elsewhere: in an OCI layout (directory.go) or in a repository of a registry
// (registry.go). Each file is a blob, unchanged, and a manifest for each project lists them
// by name.
package vendorstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
)

const (
	artifactType = "application/vnd.lamina.sources.v1"
	mediaType    = "application/octet-stream"
	commitKey    = "build.lamina.commit"     // annotation of a git tree's bundle
	belowKey     = "build.lamina.submodules" // annotation of the same: the commits of its submodules, which are bundles of their own
)

// Source is something that a lock or a spec names.
type Source struct {
	Name   string        // for people: "libc6_2.36-9_amd64.deb"
	Digest digest.Digest // of the file; "" of a git tree
	Size   int64         // of the file
	Commit string        // of a git tree, which is kept as a bundle

	Submodules []string // of the git tree: commits, which are sources, too
}

// Key returns what identifies the source in a graph.
func (s Source) Key() string {
	if s.Commit != "" {
		return s.Commit
	}
	return s.Digest.String()
}

// Store is an open store of sources.
type Store struct {
	place

	bundles map[string]ocispec.Descriptor // by commit
	listed  bool                          // some project has a list
}

// place is where blobs are stored.
type place interface {
	// lists returns the manifests of all projects.
	lists(ctx context.Context) ([]ocispec.Manifest, error)
	// has reports whether a blob exists, judging by names and sizes.
	has(ctx context.Context, d ocispec.Descriptor) (bool, error)
	// keep stores a blob. The digest of a bundle isn't known before.
	keep(ctx context.Context, source Source, fill func(io.Writer) error) (ocispec.Descriptor, error)
	// list replaces the manifest of a project.
	list(ctx context.Context, project string, manifest []byte) error
	// where tells people where a blob is.
	where(d digest.Digest) string
	// trusted reports whether the place itself guarantees its content.
	trusted() bool

	// Blob opens a blob.
	Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
	// Identifier returns an engine's identifier of a blob.
	Identifier(d digest.Digest) string
	// Name returns the place's name for people.
	Name() string
	Close() error
}

func open(ctx context.Context, p place) (*Store, error) {
	s := &Store{place: p, bundles: map[string]ocispec.Descriptor{}}
	lists, err := p.lists(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the vendored sources in %s: %w", p.Name(), err), p.Close())
	}
	s.listed = len(lists) > 0
	for _, m := range lists {
		for _, d := range m.Layers {
			if commit := d.Annotations[commitKey]; commit != "" {
				s.bundles[commit] = d
			}
		}
	}
	return s, nil
}

// descriptor returns what is known of a source's blob; ok is false for a tree without a bundle.
func (s *Store) descriptor(source Source) (d ocispec.Descriptor, ok bool) {
	if d, ok = s.bundles[source.Commit]; source.Commit == "" {
		d, ok = ocispec.Descriptor{Digest: source.Digest, Size: source.Size}, true
	}
	return d, ok
}

// Find returns the blobs of sources by their keys, judging by names and sizes, and the
// sources that are missing.
func (s *Store) Find(ctx context.Context, sources []Source) (found map[string]digest.Digest, missing []Source, err error) {
	there := make([]digest.Digest, len(sources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, source := range sources {
		d, ok := s.descriptor(source)
		if !ok {
			continue
		}
		group.Go(func() error {
			has, problem := s.has(ctx, d)
			if has {
				there[i] = d.Digest
			}
			return problem
		})
	}
	if err = group.Wait(); err != nil {
		return nil, nil, fmt.Errorf("looking for vendored sources in %s: %w", s.Name(), err)
	}
	found = map[string]digest.Digest{}
	for i, source := range sources {
		if there[i] != "" {
			found[source.Key()] = there[i]
		} else {
			missing = append(missing, source)
		}
	}
	return found, missing, nil
}

// Check reads all of the sources, and the submodules that they are listed with, and returns the
// problems of each that is missing or altered.
func (s *Store) Check(ctx context.Context, sources []Source) ([]error, error) {
	problems := make([]error, len(sources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, source := range sources {
		group.Go(func() error {
			problems[i] = s.checkWhole(ctx, source)
			return ctx.Err()
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(problems, func(problem error) bool { return problem == nil }), err
}

func (s *Store) checkWhole(ctx context.Context, source Source) error {
	problems := []error{s.check(ctx, source, true)}
	d, _ := s.descriptor(source)
	for commit := range strings.FieldsSeq(d.Annotations[belowKey]) {
		problems = append(problems, s.checkWhole(ctx, Source{Name: fmt.Sprintf("submodule %.12s of %s", commit, source.Name), Commit: commit}))
	}
	return errors.Join(problems...)
}

// readers is how many blobs are hashed or fetched at once.
const readers = 8

func (s *Store) check(ctx context.Context, source Source, read bool) error {
	d, ok := s.descriptor(source)
	if !ok {
		return fmt.Errorf("%s is missing", source.Name)
	}
	if ok, err := s.has(ctx, d); err != nil || !ok {
		return errors.Join(fmt.Errorf("%s is missing", source.Name), err)
	}
	if !read {
		return nil
	}
	r, err := s.Blob(ctx, d.Digest)
	if err != nil {
		return fmt.Errorf("%s can't be read: %w", source.Name, err)
	}
	defer r.Close()
	got, err := digest.FromReader(r)
	switch {
	case err != nil:
		return fmt.Errorf("%s can't be read: %w", source.Name, err)
	case got != d.Digest:
		return fmt.Errorf("%s is altered: the sha256 of %s is %s", source.Name, s.where(d.Digest), got.Encoded())
	}
	return nil
}

// Fill adds what is missing or altered, and lists everything as a project's sources. What fetch
// writes is kept if it matches the lock. After any error the next Fill continues with the rest.
func (s *Store) Fill(ctx context.Context, project string, sources []Source, fetch func(context.Context, Source, io.Writer) error) (fetched int, err error) {
	var mu sync.Mutex
	problems := make([]error, len(sources))
	list := make([]ocispec.Descriptor, len(sources))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, source := range sources {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			d, _ := s.descriptor(source)
			if problem := s.check(groupCtx, source, !s.trusted()); problem != nil {
				if d, problems[i] = s.add(groupCtx, source, fetch); problems[i] == nil {
					mu.Lock()
					fetched++
					mu.Unlock()
				}
			}
			list[i] = ocispec.Descriptor{MediaType: mediaType, Digest: d.Digest, Size: d.Size, Annotations: map[string]string{ocispec.AnnotationTitle: source.Name}}
			if source.Commit != "" {
				list[i].Annotations[commitKey] = source.Commit
			}
			if len(source.Submodules) > 0 {
				list[i].Annotations[belowKey] = strings.Join(source.Submodules, " ")
			}
			if failure.KindOf(problems[i]) == failure.Transient { // the others would fail likewise
				return problems[i]
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
	if err = errors.Join(problems...); err != nil {
		return fetched, err
	}
	return fetched, s.manifest(ctx, project, list)
}

// add fetches one source.
func (s *Store) add(ctx context.Context, source Source, fetch func(context.Context, Source, io.Writer) error) (ocispec.Descriptor, error) {
	return s.keep(ctx, source, func(w io.Writer) error {
		got := &counter{hash: digest.Canonical.Digester(), w: w}
		if err := fetch(ctx, source, got); err != nil {
			return fmt.Errorf("fetching %s: %w", source.Name, err)
		}
		switch sum := got.hash.Digest(); {
		case source.Commit != "":
		case got.size != source.Size:
			return fmt.Errorf("fetching %s: it has %d bytes, not %d as in the lock", source.Name, got.size, source.Size)
		case sum != source.Digest:
			return fmt.Errorf("fetching %s: its sha256 is %s, not %s as in the lock", source.Name, sum.Encoded(), source.Digest.Encoded())
		}
		return nil
	})
}

// counter hashes and counts what it passes on.
type counter struct {
	hash digest.Digester
	size int64
	w    io.Writer
}

func (c *counter) Write(p []byte) (int, error) {
	_, _ = c.hash.Hash().Write(p) // a hash never fails
	c.size += int64(len(p))
	return c.w.Write(p)
}

// manifest lists the blobs in one manifest.
func (s *Store) manifest(ctx context.Context, project string, layers []ocispec.Descriptor) error {
	slices.SortFunc(layers, func(a, b ocispec.Descriptor) int {
		return strings.Compare(a.Annotations[ocispec.AnnotationTitle]+a.Digest.String(), b.Annotations[ocispec.AnnotationTitle]+b.Digest.String())
	})
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: ocispec.DescriptorEmptyJSON, Layers: layers,
	})
	if err == nil {
		err = s.list(ctx, project, manifest)
	}
	if err != nil {
		return fmt.Errorf("storing the list of %q in %s: %w", project, s.Name(), err)
	}
	return nil
}
