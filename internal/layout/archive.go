package layout

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// dockerManifest is what "docker load" reads from an archive instead of index.json.
const dockerManifest = "manifest.json"

// sourcePrefix begins the annotations that record where an engine has pushed to. They come
// from the engine's history, not from the image.
const sourcePrefix = "containerd.io/distribution.source."

// Archive is an archive of an OCI layout, or for "docker load", which is one, too, on its way
// from an engine to a file: layers pass, and what names them is held until [Archive.Close].
type Archive struct {
	w     *tar.Writer
	held  map[string]*heldFile
	sizes map[digest.Digest]int64 // of the blobs
}

type heldFile struct {
	header *tar.Header
	data   []byte
}

// NewArchive returns an archive that is written to w.
func NewArchive(w io.Writer) *Archive {
	return &Archive{w: tar.NewWriter(w), held: map[string]*heldFile{}, sizes: map[digest.Digest]int64{}}
}

// Read reads the archive that an engine sends.
func (a *Archive) Read(r io.Reader) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // the tar's padding
			return err
		}
		if err == nil {
			err = a.entry(h, t)
		}
		if err != nil {
			return fmt.Errorf("reading the archive of the image: %w", err)
		}
	}
}

// entry passes a layer on, and holds JSON: tar files, compressed or not, begin differently.
func (a *Archive) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag != tar.TypeReg {
		return a.w.WriteHeader(h)
	}
	if d, ok := blobOf(h.Name); ok {
		if a.sizes[d] == h.Size && a.held[h.Name] == nil {
			return nil // of another platform's image, which has it, too
		}
		a.sizes[d] = h.Size
	}
	first := make([]byte, min(h.Size, 1))
	if _, err := io.ReadFull(content, first); err != nil {
		return err
	}
	content = io.MultiReader(bytes.NewReader(first), content)
	if h.Size <= maxManifest && (string(first) == "{" || string(first) == "[") {
		data, err := io.ReadAll(content)
		a.held[h.Name] = &heldFile{h, data}
		return err
	}
	return a.write(h, content)
}

func (a *Archive) write(h *tar.Header, content io.Reader) error {
	err := a.w.WriteHeader(h)
	if err == nil {
		_, err = io.Copy(a.w, content)
	}
	return err
}

func blobName(d digest.Digest) string {
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

func blobOf(name string) (digest.Digest, bool) {
	dir, hex := path.Split(path.Clean(name))
	return digest.NewDigestFromEncoded(digest.SHA256, hex), dir == path.Join(ocispec.ImageBlobsDir, "sha256")+"/"
}

// Has reports whether the archive has a blob of that size.
func (a *Archive) Has(d ocispec.Descriptor) bool { return a.sizes[d.Digest] == d.Size }

// Blob returns a blob of JSON.
func (a *Archive) Blob(d digest.Digest) ([]byte, error) {
	if f, ok := a.held[blobName(d)]; ok {
		return f.data, nil
	}
	return nil, fmt.Errorf("blob %s: %w", d, errdefs.ErrNotFound)
}

// Image describes the image of the archive.
func (a *Archive) Image() (ocispec.Descriptor, error) {
	index, err := a.index()
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("reading the archive of the image: %w", err)
	}
	return index.Manifests[0], nil
}

func (a *Archive) index() (index ocispec.Index, err error) {
	f, ok := a.held[ocispec.ImageIndexFile]
	if !ok {
		return index, errors.New("it has no " + ocispec.ImageIndexFile)
	}
	if err = json.Unmarshal(f.data, &index); err == nil && len(index.Manifests) == 0 {
		err = errors.New("the index has no image")
	}
	return index, err
}

// Add adds a layer.
func (a *Archive) Add(d ocispec.Descriptor, content io.Reader) error {
	verifier := d.Digest.Verifier()
	if err := a.write(&tar.Header{Name: blobName(d.Digest), Typeflag: tar.TypeReg, Mode: 0o444, Size: d.Size}, io.TeeReader(content, verifier)); err != nil {
		return err
	}
	if !verifier.Verified() {
		return fmt.Errorf("the content does not match %s", d.Digest)
	}
	a.sizes[d.Digest] = d.Size
	return nil
}

// Replace replaces the image that was read.
func (a *Archive) Replace(desc ocispec.Descriptor, manifest, config []byte) error {
	old, err := a.Image()
	if err != nil {
		return err
	}
	var was, is ocispec.Manifest
	data, err := a.Blob(old.Digest)
	if err = errors.Join(err, json.Unmarshal(data, &was), json.Unmarshal(manifest, &is)); err != nil {
		return err
	}
	delete(a.held, blobName(old.Digest))
	delete(a.held, blobName(was.Config.Digest))
	for d, data := range map[digest.Digest][]byte{desc.Digest: manifest, is.Config.Digest: config} {
		name := blobName(d)
		a.held[name] = &heldFile{&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(data))}, data}
	}
	return errors.Join(a.rename(old.Digest, desc), a.renameDocker(is))
}

// rename makes the index name desc.
func (a *Archive) rename(old digest.Digest, desc ocispec.Descriptor) error {
	index, err := a.index()
	for i := range index.Manifests {
		if m := &index.Manifests[i]; m.Digest == old {
			m.Digest, m.Size = desc.Digest, desc.Size
		}
	}
	return errors.Join(err, a.hold(ocispec.ImageIndexFile, index))
}

// renameDocker does the same for "docker load".
func (a *Archive) renameDocker(m ocispec.Manifest) error {
	f, ok := a.held[dockerManifest]
	if !ok {
		return nil
	}
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	err := json.Unmarshal(f.data, &list)
	for i := range list {
		list[i].Config, list[i].Layers = blobName(m.Config.Digest), nil
		for _, l := range m.Layers {
			list[i].Layers = append(list[i].Layers, blobName(l.Digest))
		}
	}
	return errors.Join(err, a.hold(dockerManifest, list))
}

// Gather makes the archive hold an index of images that were read one after another.
func (a *Archive) Gather(desc ocispec.Descriptor, data []byte) error {
	index, err := a.index()
	if err != nil {
		return fmt.Errorf("reading the archive of the image: %w", err)
	}
	names := maps.Clone(index.Manifests[0].Annotations)
	for _, key := range slices.Collect(maps.Keys(names)) {
		if key != ocispec.AnnotationRefName && key != images.AnnotationImageName && key != ocispec.AnnotationCreated {
			delete(names, key) // of the image that was read last
		}
	}
	if names != nil {
		maps.Copy(names, desc.Annotations)
		desc.Annotations = names
	}
	index.Manifests = []ocispec.Descriptor{desc}
	name := blobName(desc.Digest)
	a.held[name] = &heldFile{&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(data))}, data}
	return a.hold(ocispec.ImageIndexFile, index)
}

func (a *Archive) hold(name string, v any) error {
	data, err := json.Marshal(v)
	a.held[name].data, a.held[name].header.Size = data, int64(len(data))
	return err
}

// Close writes what names the layers.
func (a *Archive) Close() error {
	index, err := a.index()
	for _, m := range index.Manifests {
		maps.DeleteFunc(m.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, sourcePrefix) })
	}
	if err == nil {
		err = a.hold(ocispec.ImageIndexFile, index)
	}
	for _, name := range slices.Sorted(maps.Keys(a.held)) {
		if err == nil {
			err = a.write(a.held[name].header, bytes.NewReader(a.held[name].data))
		}
	}
	return errors.Join(err, a.w.Close())
}
