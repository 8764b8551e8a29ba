package readback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/registry"
	"lamina.build/output"
)

// pushed is what an output has in a repository, without tags yet.
type pushed struct {
	registryPlace
	repository string
	output     int
	images     []exported // one for each platform
}

// Next reads back what a build has exported for one of several platforms, and prepares for the
// next one.
func (x *Exports) Next(ctx context.Context) error {
	err := x.take(ctx)
	if err == nil {
		x.begin()
	}
	return err
}

// take reads back what a build has exported for a platform, and adds the layers that engines
// don't export.
func (x *Exports) take(ctx context.Context) error {
	var image layout.Image
	problems := make([]error, len(x.outputs))
	for i, o := range x.outputs { // archives first
		one, problem := x.complete(ctx, i)
		if problem != nil {
			problems[i] = fmt.Errorf("output %q: %w", o, problem)
		}
		if one.Desc.Digest != "" {
			image = one.Image
			x.taken[i] = append(x.taken[i], one)
		}
	}
	x.Images = append(x.Images, image)
	return errors.Join(problems...)
}

// Keep reads back what a build has exported, and if all of it is right, commits it: archives
// and directories get their names, and images in layouts and registries, or their index if
// there are several platforms, their tags; then it removes from the layout what no tag needs
// any more. It returns the image as it is in the layout, else in a registry, else in an
// archive; only the descriptor of an index; the zero value if there is none.
func (x *Exports) Keep(ctx context.Context) (image layout.Image, err error) {
	if err = x.take(ctx); err != nil {
		return layout.Image{}, err
	}
	x.Kept = make([]digest.Digest, len(x.Outputs))
	tops := make([]exported, len(x.Outputs))
	for i, images := range x.taken {
		if len(images) == 0 {
			continue
		}
		if tops[i], err = top(x.Outputs[i], images); err != nil {
			return layout.Image{}, err
		}
		x.Kept[i], image = tops[i].Desc.Digest, tops[i].Image
		if x.several() {
			tops[i].documents = x.IndexDocuments
		}
		if a := x.archives[i]; a != nil && x.several() {
			err = a.content.(*layout.Archive).Gather(tops[i].Desc, tops[i].manifest)
		}
		if err != nil {
			return layout.Image{}, err
		}
	}
	documents, err := x.documents(tops)
	if err != nil {
		return layout.Image{}, attaching(err)
	}
	if err = x.commit(); err != nil {
		return layout.Image{}, fmt.Errorf("committing the output: %w", err)
	}
	if x.layout != nil {
		if err = x.name(ctx, tops[len(tops)-1], documents); err != nil {
			return layout.Image{}, err
		}
	}
	for _, p := range x.pushed {
		if err = x.attach(ctx, p, tops[p.output], documents); err != nil {
			return layout.Image{}, err
		}
	}
	for _, p := range x.pushed { // every repository has the documents before a tag moves
		if err = x.tag(ctx, p, tops[p.output]); err != nil {
			return layout.Image{}, err
		}
	}
	return image, nil
}

// top returns what gets the names: the image, or an index of those of several platforms.
func top(o output.Output, images []exported) (exported, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Annotations: indexAnnotations(o, false)}
	for _, one := range images {
		d := one.Desc
		d.Platform = &ocispec.Platform{OS: one.Config.OS, Architecture: one.Config.Architecture, Variant: one.Config.Variant}
		index.Manifests = append(index.Manifests, d)
	}
	data, err := json.MarshalIndent(index, "", "  ")
	x := exported{manifest: data}
	x.Desc = ocispec.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data)), Annotations: indexAnnotations(o, true)}
	return x, err
}

// with returns images and the index of several.
func (x *Exports) with(top exported, images []exported) []exported {
	if x.several() {
		return append(slices.Clone(images), top)
	}
	return images
}

// name gives the image in the layout its tags and documents.
func (x *Exports) name(ctx context.Context, top exported, documents attachments) error {
	last := len(x.Outputs) - 1
	err := content.WriteBlob(ctx, x.layout.Store(), top.Desc.Digest.String(), bytes.NewReader(top.manifest), top.Desc)
	if err == nil {
		err = tagAll(ctx, x.layout, append([]string{x.called}, x.Outputs[last].Names...), top.Desc)
	}
	for _, one := range x.with(top, x.taken[last]) {
		if err == nil {
			err = x.noted(x.layout.Attach(ctx, one.Desc, documents[one.Desc.Digest]))
		}
	}
	if err == nil {
		_, err = x.layout.Cleanup(ctx)
	}
	return err
}

// attach attaches the documents to the images of a repository before they are visible there.
// It first pushes the manifests of an index's images.
func (x *Exports) attach(ctx context.Context, p *pushed, top exported, documents attachments) (err error) {
	for _, one := range p.images {
		if err == nil && x.several() {
			err = p.PutManifest(ctx, one.Desc.Digest.String(), one.Desc.MediaType, one.manifest)
		}
	}
	for _, one := range x.with(top, p.images) {
		if list := documents[one.Desc.Digest]; err == nil && len(list) > 0 {
			err = x.noted(p.Attach(ctx, one.Desc, list...))
		}
	}
	return err
}

// noted records the artifacts of documents; they are the same for one image in several places.
func (x *Exports) noted(made []ocispec.Descriptor, err error) error {
	for _, d := range made {
		if !slices.ContainsFunc(x.Attached, func(have ocispec.Descriptor) bool { return have.Digest == d.Digest }) {
			x.Attached = append(x.Attached, d)
		}
	}
	return attaching(err)
}

// tag gives the image in a repository its tags.
func (x *Exports) tag(ctx context.Context, p *pushed, top exported) (err error) {
	o := x.Outputs[p.output]
	for _, name := range o.Names {
		where, tag := output.SplitName(name)
		if o.ByDigest {
			tag = top.Desc.Digest.String()
		}
		if err == nil && where == p.repository {
			if err = p.PutManifest(ctx, tag, top.Desc.MediaType, top.manifest); err != nil {
				err = fmt.Errorf("tagging the image: %w", err)
			}
		}
	}
	return err
}

// attachments are the documents of each image and index.
type attachments map[digest.Digest][]referrer.Attachment

// documents makes what is attached to each image and index before any is visible: if signing
// fails, no name has moved.
func (x *Exports) documents(tops []exported) (attachments, error) {
	made := attachments{}
	var images []exported
	if last := len(x.Outputs) - 1; x.layout != nil {
		images = slices.Clone(x.with(tops[last], x.taken[last]))
	}
	for _, p := range x.pushed {
		images = append(images, x.with(tops[p.output], p.images)...)
	}
	for _, one := range images {
		if _, known := made[one.Desc.Digest]; known || one.documents == nil {
			continue
		}
		list, err := one.documents(one.Image)
		if err != nil {
			return nil, err
		}
		made[one.Desc.Digest] = list
	}
	return made, nil
}

func attaching(err error) error {
	if err != nil {
		return fmt.Errorf("attaching documents to the image: %w", err)
	}
	return nil
}

// tagAll gives an image in a layout the tag of each name, as docker buildx does.
func tagAll(ctx context.Context, l *layout.Layout, names []string, desc ocispec.Descriptor) error {
	annotations := desc.Annotations
	for _, name := range names {
		repository, tag := output.SplitName(name)
		desc.Annotations = map[string]string{images.AnnotationImageName: repository + ":" + tag}
		maps.Copy(desc.Annotations, annotations)
		if err := l.Tag(ctx, tag, desc); err != nil {
			return err
		}
	}
	return nil
}

// complete calls [complete] for an output of any type.
func (x *Exports) complete(ctx context.Context, i int) (one exported, err error) {
	o, said := x.outputs[i], x.described[i]
	switch {
	case o.Layout():
		one, err = complete(ctx, layoutPlace{x.store}, o, said, x.whole, x.from)
	case o.Push:
		for _, repository := range repositories(o.Names) {
			if one, err = x.push(ctx, o, i, repository); err != nil {
				break
			}
		}
	case o.Type == output.Local:
		return one, x.fill(ctx, x.directories[i].stream, x.directories[i].Dir)
	case o.Tar:
		a := x.archives[i]
		archive, isImage := a.content.(*layout.Archive)
		if !isImage {
			return one, x.fill(ctx, a.stream, a.content)
		}
		if err = <-a.done; err == nil {
			said, err = archive.Image()
		}
		if err == nil {
			one, err = complete(ctx, archivePlace{archive}, o, said, x.whole, x.from)
		}
	}
	one.documents = x.Documents
	return one, err
}

func (x *Exports) push(ctx context.Context, o output.Output, i int, repository string) (one exported, err error) {
	p, err := x.repository(ctx, o, i, repository)
	if err != nil {
		return one, err
	}
	one, err = complete(ctx, p.registryPlace, o, x.described[i], x.whole, x.from)
	one.documents = x.Documents
	p.images = append(p.images, one)
	return one, err
}

// repository opens a repository of an output once.
func (x *Exports) repository(ctx context.Context, o output.Output, i int, repository string) (*pushed, error) {
	at := slices.IndexFunc(x.pushed, func(p *pushed) bool { return p.output == i && p.repository == repository })
	if at >= 0 {
		return x.pushed[at], nil
	}
	options := x.from.Registry
	options.Insecure, options.ReadOnly, options.HTTP.Attempts = o.Insecure, false, 0 // more retries than for a question
	r, err := registry.Open(ctx, repository, options)
	if err != nil {
		return nil, err
	}
	p := &pushed{registryPlace: registryPlace{Repository: r}, repository: repository, output: i}
	x.pushed = append(x.pushed, p)
	return p, nil
}

// fill extracts the layers that engines don't export over the files of an image.
func (x *Exports) fill(ctx context.Context, from stream, f sink) error {
	err := <-from.done
	for _, p := range x.whole.Parts {
		for _, l := range p.Layers {
			if err == nil && p.Added {
				err = x.from.with(ctx, l.Stored, func(r io.Reader) error {
					verifier := l.Stored.Digest.Verifier()
					if problem := f.Read(io.TeeReader(r, verifier)); problem != nil || verifier.Verified() {
						return problem
					}
					return fmt.Errorf("the content differs from layer %s", l.Stored.Digest)
				})
			}
		}
	}
	return err
}

func (x *Exports) commit() error {
	problems := make([]error, 0, len(x.archives)+len(x.directories))
	for _, a := range x.archives {
		err := errors.Join(a.content.Close(), a.to.Close())
		if err == nil && a.temporary != nil {
			err = a.temporary.Commit()
		}
		problems = append(problems, err)
	}
	for _, f := range x.directories {
		problems = append(problems, f.Commit())
	}
	return errors.Join(problems...)
}
