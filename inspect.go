package lamina

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/attest"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/registry"
	"lamina.build/internal/signing"
	"lamina.build/lock"
	"lamina.build/output"
)

// Inspected is an image, the first of an index, as its registry or layout describes it. No
// layer is read for it.
type Inspected struct {
	Name     string                          `json:"name"`
	Manifest digest.Digest                   `json:"manifest"`
	Platform string                          `json:"platform"`
	Created  time.Time                       `json:"created,omitzero"`
	Config   dockerspec.DockerOCIImageConfig `json:"config"`
	Layers   []Layer                         `json:"layers"`
	Attached []Attached                      `json:"attached"`
	Further  []Inspected                     `json:"further,omitempty"` // the images of an index for other platforms
	Index    *InspectedIndex                 `json:"index,omitempty"`   // what the name stands for, if it is not the image itself
}

// InspectedIndex is an index of images, as its registry or layout describes it.
type InspectedIndex struct {
	Digest   digest.Digest `json:"digest"`
	Attached []Attached    `json:"attached"`
}

// Attached is a document that refers to an image.
type Attached struct {
	Type   string        `json:"type"` // media type: [LockType], "application/spdx+json"
	Digest digest.Digest `json:"digest"`

	Annotations map[string]string `json:"annotations,omitempty"`

	// Signed reports that a trusted signer signed it, or a document that names it: see
	// [Inspected.Verify]. Anybody who may write to the registry may have written the others.
	Signed bool `json:"signed,omitempty"`

	// Data is the document, if it is one that a build attaches.
	Data []byte `json:"-"`
}

// Predicate returns the type of the statement, from its annotations: of SLSA's provenance,
// or of a cosign signature. It is "" for other documents.
func (a Attached) Predicate() string {
	return cmp.Or(a.Annotations[signing.PredicateAnnotation], a.Annotations[attest.PredicateAnnotation])
}

// Size returns the size of the layers as stored, in bytes.
func (i Inspected) Size() (size int64) { return Made{Layers: i.Layers}.Size() }

// For returns the image of an index for a platform: "linux/amd64", "arm64" or "local".
func (i Inspected) For(platform string) (Inspected, error) {
	p, err := parsePlatform(platform)
	if err != nil {
		return Inspected{}, failure.New(failure.Usage, err)
	}
	var names []string
	for _, one := range append([]Inspected{i}, i.Further...) {
		if one.Platform == platforms.Format(p) {
			one.Further, one.Index = nil, i.Index
			return one, nil
		}
		names = append(names, one.Platform)
	}
	return Inspected{}, failure.New(failure.Usage, fmt.Errorf("%s has no image for %s, only for %s", i.Name, platform, strings.Join(names, ", ")))
}

// Document returns the attachment of a media type: [LockType], which stands for a lock of
// any format, [SPDXType] or [CycloneDXType]. It prefers a signed one.
func (i Inspected) Document(media string) (data []byte, ok bool) {
	for _, a := range i.Attached {
		if (a.Type == media || isLock(a.Type) && isLock(media)) && a.Data != nil && (data == nil || a.Signed) {
			data = a.Data
			if a.Signed {
				break
			}
		}
	}
	return data, data != nil
}

// Provenance returns the attached in-toto statement of how the image was built. It prefers
// a signed one.
func (i Inspected) Provenance() (text []byte, ok bool) {
	for _, a := range i.Attached {
		held := a.Data
		if a.Type == BundleType {
			held, _ = signing.Statement(a.Data)
		} else if a.Type != StatementType {
			continue
		}
		s, err := attest.Parse(held)
		if err != nil || s.PredicateType != attest.ProvenanceV1 || !s.Names(i.Manifest) || text != nil && !a.Signed {
			continue
		}
		if text = held; a.Signed {
			break
		}
	}
	return text, text != nil
}

// Inspect reads the manifest and the config of an image, and its attachments. name is an
// image in a registry, or the directory of an OCI layout, with a tag other than
// [Production] after a colon.
func Inspect(ctx context.Context, name string, o Options) (image Inspected, err error) {
	defer func() { err = explain(ctx, err) }()
	h, err := openHost(o)
	if err != nil {
		return image, err
	}
	source, err := h.imageSource(h.reach(ctx), name)
	if err != nil {
		return image, err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	return source.inspect(ctx, name)
}

func (source imageSource) inspect(ctx context.Context, name string) (image Inspected, err error) {
	list := make([]Inspected, len(source.images))
	for i, of := range source.images {
		if list[i], err = source.inspectOne(ctx, name, of); err != nil {
			return list[i], err
		}
	}
	image = list[0]
	image.Further = list[1:]
	if images.IsIndexType(source.top.MediaType) {
		image.Index = &InspectedIndex{Digest: source.top.Digest}
		image.Index.Attached, err = source.attached(ctx, name, source.top.Digest)
	}
	return image, err
}

func (source imageSource) inspectOne(ctx context.Context, name string, of layout.Image) (image Inspected, err error) {
	image = Inspected{
		Name: name, Manifest: of.Desc.Digest, Platform: platforms.Format(platforms.Normalize(of.Config.Platform)),
		Config: of.Config.Config, Layers: layersOf(of.Manifest, of.Config.Image),
	}
	if created := of.Config.Created; created != nil {
		image.Created = *created
	}
	image.Attached, err = source.attached(ctx, name, image.Manifest)
	return image, err
}

// attached returns the documents that refer to an image or an index.
func (source imageSource) attached(ctx context.Context, name string, subject digest.Digest) (all []Attached, err error) {
	list, err := source.referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		a := Attached{Type: d.ArtifactType, Digest: d.Digest, Annotations: d.Annotations}
		if isOurs(a.Type) {
			a.Data, err = source.document(ctx, d)
			if errors.Is(err, referrer.ErrUnreadable) && !isDocument(a.Type) {
				err = nil // not a statement, whatever others call it, so nobody signed it
			}
			if err != nil {
				return nil, fmt.Errorf("reading the attachments of %s: %w", name, err)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

func isOurs(media string) bool {
	return isDocument(media) || media == StatementType || media == BundleType
}

// isDocument reports whether a provenance names documents of a media type.
func isDocument(media string) bool {
	return isLock(media) || media == SPDXType || media == CycloneDXType
}

// AttachedLock returns the lock that is attached to the image. Errors match [lock.ErrOld] or
// [lock.ErrVersion] if another version of Lamina wrote it.
func (i Inspected) AttachedLock() (l lock.Lock, err error) {
	data, ok := i.Document(LockType())
	if !ok {
		err = failure.New(failure.Findings, fmt.Errorf("%s has no lock attached", i.Name))
		return l, failure.WithHint(err, "push the image with --attach lock to make it verifiable")
	}
	l, err = lock.Parse(i.Name+": "+LockName, data)
	if errors.Is(err, lock.ErrOld) || errors.Is(err, lock.ErrVersion) {
		err = failure.WithHint(failure.New(failure.Findings, err), "verify it with the version of Lamina that built it")
	}
	return l, err
}

// imageSource is a registry or layout with an image, and how to read its referrers there.
type imageSource struct {
	top       ocispec.Descriptor // what the name stands for
	images    []layout.Image     // one, or those of an index
	name      string             // in a registry; "" for a layout
	referrers func(context.Context, digest.Digest) ([]ocispec.Descriptor, error)
	document  func(context.Context, ocispec.Descriptor) ([]byte, error)
	blob      func(context.Context, ocispec.Descriptor) (io.ReadCloser, error)
	attach    func(context.Context, ocispec.Descriptor, referrer.Attachment) error
	intact    func(context.Context, layout.Image) error // reads the layers; a registry has them by digest
	close     func() error
}

func (h *host) imageSource(ctx context.Context, name string) (imageSource, error) {
	dir, tag := name, Production
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if i := strings.LastIndexByte(name, ':'); i > 0 {
			dir, tag = name[:i], name[i+1:]
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ocispec.ImageLayoutFile)); err == nil {
		return layoutSource(ctx, dir, tag)
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return imageSource{}, failure.New(failure.Usage, fmt.Errorf("%q is not an OCI layout", dir))
	}
	noDir := fmt.Sprintf("directory %q does not exist, so the name is taken for an image in a registry", name)
	r, err := registry.Open(ctx, name, h.reading(false))
	if err != nil {
		return imageSource{}, failure.WithHint(err, noDir)
	}
	source := imageSource{
		name:      name,
		referrers: r.Referrers, document: r.Document, close: func() error { return nil },
		intact: func(context.Context, layout.Image) error { return nil },
		blob:   func(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) { return r.Blob(ctx, d.Digest) },
	}
	source.top, source.images, err = publishedImages(ctx, r, referenceOf(name))
	source.attach = func(ctx context.Context, to ocispec.Descriptor, a referrer.Attachment) error {
		writable, problem := registry.Open(ctx, name, h.registry(false))
		if problem != nil {
			return problem
		}
		_, problem = writable.Attach(ctx, to, a)
		return problem
	}
	if errors.Is(err, registry.ErrNotFound) {
		err = failure.WithHint(failure.New(failure.Usage, errors.New("no such image")), noDir)
	}
	if err != nil {
		return source, fmt.Errorf("reading image %q: %w", name, err)
	}
	return source, nil
}

func layoutSource(ctx context.Context, dir, tag string) (imageSource, error) {
	l, err := layout.OpenToRead(dir)
	if err != nil {
		return imageSource{}, err
	}
	top, err := l.Tagged(tag)
	var list []layout.Image
	if err == nil {
		list, err = l.ReadAll(ctx, tag)
	}
	if err != nil {
		tags, _ := l.Tags()
		err = errors.Join(failure.New(failure.Usage, fmt.Errorf("%w; the layout has %s", err, strings.Join(tags, ", "))), l.Close())
		return imageSource{}, err
	}
	return imageSource{
		top: top, images: list,
		referrers: func(_ context.Context, d digest.Digest) ([]ocispec.Descriptor, error) { return l.Referrers(d) },
		attach: func(ctx context.Context, to ocispec.Descriptor, a referrer.Attachment) error {
			writable, problem := layout.Open(ctx, dir) // l is only read
			if problem != nil {
				return problem
			}
			_, problem = writable.Attach(ctx, to, []referrer.Attachment{a})
			return errors.Join(problem, writable.Close())
		},
		document: l.Document, blob: l.Blob, intact: l.Verify, close: l.Close,
	}, nil
}

// referenceOf returns the digest or the tag of a name.
func referenceOf(name string) string {
	if _, digested, ok := strings.Cut(name, "@"); ok {
		return digested
	}
	_, tag := output.SplitName(name)
	return tag
}

// publishedImages reads an image of a registry, or all of an index except BuildKit's
// attestations, and the descriptor of what the name stands for.
func publishedImages(ctx context.Context, r *registry.Repository, name string) (desc ocispec.Descriptor, list []layout.Image, err error) {
	desc, data, err := r.Manifest(ctx, name)
	if err != nil {
		return desc, nil, err
	}
	if images.IsIndexType(desc.MediaType) {
		var index ocispec.Index
		if err = json.Unmarshal(data, &index); err != nil {
			return desc, nil, err
		}
		for _, d := range index.Manifests {
			if d.Platform == nil || d.Platform.OS != "unknown" {
				_, below, problem := publishedImages(ctx, r, d.Digest.String())
				if problem != nil {
					return desc, nil, problem
				}
				list = append(list, below...)
			}
		}
		if len(list) == 0 {
			err = errors.New("the index has no image")
		}
		return desc, list, err
	}
	image := layout.Image{Desc: desc}
	if err = json.Unmarshal(data, &image.Manifest); err != nil {
		return desc, nil, err
	}
	if data, err = r.ReadBlob(ctx, image.Manifest.Config.Digest); err != nil {
		return desc, nil, err
	}
	return desc, []layout.Image{image}, json.Unmarshal(data, &image.Config)
}
