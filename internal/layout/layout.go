// Package layout keeps the images of one project in a directory: an OCI image
// layout with a tag for each variant, so that variants share their blobs.
//
// Concurrent builds may use one directory. Each opens its own [Layout] for as long as it
// runs; a cleanup does nothing while another one is open, and tags are set under a lock.
package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout/blobs"
)

// ErrNoTag means that a layout has no image with a tag.
var ErrNoTag = errors.New("no such tag")

const lockName = ".lock"

// ownFiles returns the files of a layout other than its blobs.
func ownFiles() []string { return []string{ocispec.ImageIndexFile, ocispec.ImageLayoutFile, lockName} }

// refName is the grammar of a tag in the OCI image specification, or in
// registries.
var refName = regexp.MustCompile(`^([A-Za-z0-9]+([-._:@+/]+[A-Za-z0-9]+)*|\w[\w.-]{0,127})$`)

// Layout is an open directory of images.
type Layout struct {
	root  *os.Root
	store *blobs.Store
	fresh bool            // nothing existed before
	made  []beneath.Place // directories created for it, the topmost first
}

// Open opens the layout in a directory that the user named, creating it if needed. Open
// one for each build, and close it after the build.
func Open(ctx context.Context, dir string) (*Layout, error) { return OpenAt(ctx, beneath.Typed(dir)) }

// OpenAt opens the layout in a place, as [Open] does.
func OpenAt(ctx context.Context, place beneath.Place) (*Layout, error) {
	if err := Writable(place); err != nil {
		return nil, err
	}
	l, err := open(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("opening layout %q: %w", place, err)
	}
	return l, nil
}

// OpenToRead opens an existing layout for reading: it changes nothing in the directory,
// which need not be writable.
func OpenToRead(dir string) (*Layout, error) {
	place := beneath.Typed(dir)
	_, err := isFresh(place)
	var store *blobs.Store
	if err == nil {
		store, err = blobs.OpenToRead(place)
	}
	if err != nil {
		return nil, fmt.Errorf("opening layout %q: %w", place, err)
	}
	root, err := store.Dir()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &Layout{store: store, root: root}, nil
}

func open(ctx context.Context, place beneath.Place) (*Layout, error) {
	fresh, err := isFresh(place)
	if err != nil {
		return nil, err
	}
	made := place.Missing()
	store, err := blobs.OpenAt(ctx, place)
	if err != nil {
		removeEmpty(made)
		return nil, err
	}
	l := &Layout{store: store, fresh: fresh, made: made}
	if l.root, err = store.Dir(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	// Create what readers of an OCI layout expect, even without a tag.
	if err = l.change(ctx, func(*ocispec.Index) {}); err != nil {
		return nil, errors.Join(err, l.Discard())
	}
	return l, nil
}

// removeEmpty removes created directories again. It keeps one that has content by now, and
// those above it.
func removeEmpty(made []beneath.Place) {
	for _, p := range slices.Backward(made) {
		if p.Remove() != nil {
			return
		}
	}
}

// isFresh checks the directory before anything is written to it.
func isFresh(place beneath.Place) (fresh bool, err error) {
	root, err := place.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, name := range ownFiles() {
		if err = beneath.CheckFile(root, name); err != nil {
			return false, err
		}
	}
	fresh, err = checkVersion(root)
	if errors.Is(err, fs.ErrNotExist) { // another build has discarded the directory
		return true, nil
	}
	return fresh, err
}

// checkForeign refuses a directory that is used for something else. A layout that another
// build is setting up has only its blobs and locks: it is not empty.
func checkForeign(root *os.Root) (empty bool, err error) {
	entries, err := beneath.ReadDir(root, ".")
	if err != nil {
		return false, err
	}
	empty = true
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		empty = false
		// By now even the last of them may exist.
		known := []string{"blobs", "ingest", ocispec.ImageIndexFile, ocispec.ImageLayoutFile}
		if !slices.Contains(known, name) {
			return false, failure.New(failure.Usage, fmt.Errorf("the directory contains %q and is not a layout", name))
		}
	}
	return empty, nil
}

// checkVersion refuses what isn't one of our layouts; fresh means that the directory is
// still empty.
func checkVersion(root *os.Root) (fresh bool, err error) {
	data, err := beneath.ReadFile(root, ocispec.ImageLayoutFile)
	if errors.Is(err, fs.ErrNotExist) {
		return checkForeign(root)
	}
	var have ocispec.ImageLayout
	if err == nil {
		err = json.Unmarshal(data, &have)
	}
	if err == nil && have.Version != ocispec.ImageLayoutVersion {
		err = fmt.Errorf("image layout of version %q, want %q", have.Version, ocispec.ImageLayoutVersion)
	}
	return false, err
}

// Close drops unfinished writes and lets other builds clean up.
func (l *Layout) Close() error { return errors.Join(l.store.Close(), l.root.Close()) }

// Discard closes l after a failed build. It removes a layout that this opening created, if
// no image was tagged in it since; it keeps one that existed before, and one that another
// build has open.
func (l *Layout) Discard() error {
	if !l.fresh {
		return l.Close()
	}
	err := l.store.Discard(func() (bool, error) {
		index, err := l.index()
		if err != nil || len(index.Manifests) > 0 {
			return false, err
		}
		for _, name := range ownFiles() {
			if err := l.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, err
			}
		}
		return true, nil
	})
	removeEmpty(l.made)
	return errors.Join(err, l.root.Close())
}

// Dir returns the directory.
func (l *Layout) Dir() string { return filepath.Clean(l.root.Name()) }

// CheckDir refuses a caller's own directory in the layout if it isn't one or contains
// links.
func (l *Layout) CheckDir(name string) error {
	return errors.Join(beneath.CheckDir(l.root, name), beneath.CheckFiles(l.root, name))
}

// Store returns the content store to export into.
func (l *Layout) Store() content.Store { return l.store }

// Tag makes tag name the image, replacing an older one. Its blobs must be in the
// store already.
func (l *Layout) Tag(ctx context.Context, tag string, desc ocispec.Descriptor) error {
	if !refName.MatchString(tag) {
		return fmt.Errorf("tag %q is not made of letters, digits and single separators", tag)
	}
	if _, err := l.store.Info(ctx, desc.Digest); err != nil {
		return fmt.Errorf("tagging %q: %w", tag, err)
	}
	annotations := map[string]string{}
	maps.Copy(annotations, desc.Annotations)
	delete(annotations, ocispec.AnnotationCreated) // it would make the index differ between builds
	annotations[ocispec.AnnotationRefName] = tag
	desc.Annotations = annotations
	err := l.change(ctx, func(index *ocispec.Index) {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool { return tagOf(d) == tag })
		index.Manifests = l.withoutOrphans(ctx, append(index.Manifests, desc))
	})
	if err != nil {
		return fmt.Errorf("tagging %q: %w", tag, err)
	}
	return nil
}

// Tags lists the tags, sorted.
func (l *Layout) Tags() ([]string, error) {
	index, err := l.index()
	if err != nil {
		return nil, fmt.Errorf("listing tags: %w", err)
	}
	var tags []string
	for _, d := range index.Manifests {
		if tag := tagOf(d); tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags, nil
}

func tagOf(d ocispec.Descriptor) string { return d.Annotations[ocispec.AnnotationRefName] }

// index reads index.json. It is replaced atomically, so reading needs no lock.
func (l *Layout) index() (ocispec.Index, error) {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	data, err := beneath.ReadFile(l.root, ocispec.ImageIndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		return ocispec.Index{}, fmt.Errorf("reading %q: %w", filepath.Join(l.Dir(), ocispec.ImageIndexFile), err)
	}
	return index, nil
}

// change rewrites index.json under the lock, so that concurrent builds don't lose
// tags.
func (l *Layout) change(ctx context.Context, edit func(*ocispec.Index)) (err error) {
	lock, err := atomicfile.OpenLock(l.root, lockName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err = lock.Exclusive(ctx); err != nil {
		return err
	}
	index, err := l.index()
	if err != nil {
		return err
	}
	edit(&index)
	slices.SortStableFunc(index.Manifests, func(a, b ocispec.Descriptor) int {
		return strings.Compare(tagOf(a), tagOf(b))
	})
	if index.Manifests == nil {
		index.Manifests = []ocispec.Descriptor{} // null is not a list
	}
	version := ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}
	return errors.Join(
		l.writeJSON(ocispec.ImageLayoutFile, version),
		l.writeJSON(ocispec.ImageIndexFile, index),
	)
}

// writeJSON replaces a file unless its content is the same.
func (l *Layout) writeJSON(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	have, err := beneath.ReadFile(l.root, name)
	if err == nil && bytes.Equal(have, data) {
		atomicfile.CleanupIn(l.root, name)
		return nil
	}
	return atomicfile.WriteIn(l.root, name, data, 0o644)
}
