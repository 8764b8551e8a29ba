package readback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/registry"
	"lamina.build/output"
)

// pushed is an image in a repository that has no tags yet.
type pushed struct {
	registryPlace
	exported
	tags []string // its digest where it is to have none
}

// Keep reads back what a build has exported, adds the layers that no engine exports, and
// puts all of it in its place: archives and folders get their names, images of layouts and
// registries their tags, and the layout is swept of what no tag needs any more. Nothing of
// it happens unless all that was read is right. It returns the image as it lies in the
// layout, else in a registry, else in an archive; the zero value where it is in none.
func (x *Exports) Keep(ctx context.Context) (image layout.Image, err error) {
	faults := make([]error, len(x.Outputs))
	x.Kept = make([]digest.Digest, len(x.Outputs))
	for i, o := range x.Outputs { // of the archives first
		one, fault := x.complete(ctx, i)
		if fault != nil {
			faults[i] = fmt.Errorf("output %q: %w", o, fault)
		}
		if x.Kept[i] = one.Desc.Digest; x.Kept[i] != "" {
			image = one
		}
	}
	if err = errors.Join(faults...); err != nil {
		return layout.Image{}, err
	}
	documents, err := x.documents(image)
	if err != nil {
		return layout.Image{}, attaching(err)
	}
	if err = x.commit(); err != nil {
		return layout.Image{}, fmt.Errorf("putting the output in its place: %w", err)
	}
	if x.layout != nil {
		names := append([]string{x.name}, x.Outputs[len(x.Outputs)-1].Names...)
		if err = tagAll(ctx, x.layout, names, image.Desc); err == nil {
			err = attaching(x.layout.Attach(ctx, image.Desc, documents[image.Desc.Digest]))
		}
		if err == nil {
			_, err = x.layout.Sweep(ctx)
		}
		if err != nil {
			return layout.Image{}, err
		}
	}
	for _, p := range x.pushed {
		if err = p.Attach(ctx, p.Desc, documents[p.Desc.Digest]...); err != nil {
			return layout.Image{}, attaching(err)
		}
	}
	for _, p := range x.pushed {
		for _, tag := range p.tags {
			if err = p.PutManifest(ctx, tag, p.Desc.MediaType, p.manifest); err != nil {
				return layout.Image{}, fmt.Errorf("tagging the image: %w", err)
			}
		}
	}
	return image, nil
}

// documents are what is attached to each image, made before anybody sees one: where they
// can't be signed, no name has moved.
func (x *Exports) documents(inLayout layout.Image) (map[digest.Digest][]referrer.Attachment, error) {
	made := map[digest.Digest][]referrer.Attachment{}
	if x.Documents == nil {
		return made, nil
	}
	var images []layout.Image
	if x.layout != nil {
		images = append(images, inLayout)
	}
	for _, p := range x.pushed {
		images = append(images, p.Image)
	}
	for _, image := range images {
		if _, known := made[image.Desc.Digest]; known {
			continue
		}
		list, err := x.Documents(image)
		if err != nil {
			return nil, err
		}
		made[image.Desc.Digest] = list
	}
	return made, nil
}

func attaching(err error) error {
	if err != nil {
		return fmt.Errorf("attaching documents to the image: %w", err)
	}
	return nil
}

// tagAll gives an image of a layout the tag of each name, as docker buildx does.
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

// complete is [complete] for an output, wherever that is.
func (x *Exports) complete(ctx context.Context, i int) (image layout.Image, err error) {
	o, said := x.Outputs[i], x.described[i]
	var one exported
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
		return image, x.fill(ctx, x.folders[i].stream, x.folders[i].Folder)
	case o.Tar:
		a := x.archives[i]
		archive, isImage := a.content.(*layout.Archive)
		if !isImage {
			return image, x.fill(ctx, a.stream, a.content)
		}
		if err = <-a.done; err == nil {
			said, err = archive.Image()
		}
		if err == nil {
			one, err = complete(ctx, archivePlace{archive}, o, said, x.whole, x.from)
		}
	}
	return one.Image, err
}

func (x *Exports) push(ctx context.Context, o output.Output, i int, repository string) (exported, error) {
	options := x.from.Registry
	options.Insecure, options.ReadOnly, options.HTTP.Attempts = o.Insecure, false, 0 // more patience than for a question
	r, err := registry.Open(ctx, repository, options)
	if err != nil {
		return exported{}, err
	}
	p := pushed{registryPlace: registryPlace{r}}
	for _, name := range o.Names {
		if where, tag := output.SplitName(name); where == repository {
			p.tags = append(p.tags, tag)
		}
	}
	p.exported, err = complete(ctx, p.registryPlace, o, x.described[i], x.whole, x.from)
	if o.ByDigest {
		p.tags = []string{p.Desc.Digest.String()}
	}
	x.pushed = append(x.pushed, p)
	return p.exported, err
}

// fill lays the layers that no engine exports over the files of an image.
func (x *Exports) fill(ctx context.Context, from stream, f sink) error {
	err := <-from.done
	for _, p := range x.whole.Parts {
		for _, l := range p.Layers {
			if err == nil && p.Added {
				err = x.from.with(ctx, l.Stored, func(r io.Reader) error {
					verifier := l.Stored.Digest.Verifier()
					if fault := f.Read(io.TeeReader(r, verifier)); fault != nil || verifier.Verified() {
						return fault
					}
					return fmt.Errorf("the content is not that of layer %s", l.Stored.Digest)
				})
			}
		}
	}
	return err
}

func (x *Exports) commit() error {
	faults := make([]error, 0, len(x.archives)+len(x.folders))
	for _, a := range x.archives {
		err := errors.Join(a.content.Close(), a.to.Close())
		if err == nil && a.temporary != nil {
			err = a.temporary.Commit(0o644)
		}
		faults = append(faults, err)
	}
	for _, f := range x.folders {
		faults = append(faults, f.Commit())
	}
	return errors.Join(faults...)
}
