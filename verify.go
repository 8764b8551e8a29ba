package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/attest"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/imagediff"
	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/sbom"
	"lamina.build/internal/signing"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/stages"
)

// Verified is an image compared with a rebuild from its lock and a checkout of its project.
type Verified struct {
	Image   Inspected
	Variant string
	Rebuilt digest.Digest // of the rebuilt manifest; that of Image if they are equal
	Index   digest.Digest // of the index of all rebuilt images; "" if the image is in none, or not all of it was rebuilt
	Engine  string        // of the rebuild: "BuildKit v0.34.2"
	Trees   []string      // directories of the checkout that differ from the image

	Snapshotter string // of the rebuild's engine: "overlayfs"; "" if it doesn't say

	// Differences are the differences between the two images.
	Differences []ImageDifference

	Further []Verified // the images of an index for other platforms
}

// VerifyImageOptions hold what neither the lock nor a checkout of an image determines.
type VerifyImageOptions struct {
	Variant string            // "" is the one in the attachments, else [Production]
	Labels  map[string]string // the [Build.Labels] of the image
	// Annotations are those of the image's outputs.
	Annotations []output.Annotation
	// Platforms select the images of an index to build, "linux/amd64"; the default is all.
	Platforms []string
	Trust     Trust // the required signer of the image and its lock; the zero value is none
	// Draw and Allow are those of the image's [Build].
	Draw  func(stages.Input) (stages.Image, error)
	Allow []llb.State
	// Sign is how to sign a statement that the image equals its rebuild. The statement is
	// attached to the image, or written to the file Statement. An index has one of its own,
	// which also names the images, if all of it equals its rebuild.
	Sign      Signing
	Statement string
}

// Equal reports whether the image, or each of an index, equals its rebuild.
func (v Verified) Equal() bool {
	return v.Rebuilt == v.Image.Manifest && !slices.ContainsFunc(v.Further, func(f Verified) bool { return !f.Equal() })
}

// ImageDifference is a file, a field of the config, an annotation or a whole layer in which two
// images differ.
type ImageDifference struct {
	Layer string `json:"layer,omitempty"` // "runtime: 118 Debian packages"; "" for the config and the manifest
	Path  string `json:"path,omitempty"`  // in the layer, or the field of the config or the manifest: "config.Env", "annotations.KEY"
	What  string `json:"what"`            // "content, from byte 52 on; size 12, was 10"
}

// String returns the difference in one line.
func (d ImageDifference) String() string { return imagediff.Difference(d).String() }

// VerifyImage rebuilds an image, from the lock attached to it and the spec and trees of the
// project, and compares the two. It uses nothing of earlier builds: our own engine with a new
// root, or without a cache the engine that the options or the environment name.
//
// A difference is no error: see [Verified.Equal]. A checkout that doesn't fit the lock is an
// error of the kind [Findings].
func (p *Project) VerifyImage(ctx context.Context, name string, o VerifyImageOptions) (v Verified, err error) {
	defer func() { err = explain(ctx, err) }()
	ctx = p.reach(ctx)
	signer, err := p.signer(o.Sign)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return v, err
	}
	source, err := p.imageSource(ctx, name)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	image, l, err := source.claim(ctx, name, o)
	if err != nil {
		return Verified{Image: image}, err
	}
	v = Verified{Image: image, Variant: cmp.Or(o.Variant, image.annotation(VariantAnnotation), Production)}
	for _, one := range source.images { // reading is faster than rebuilding
		if err = source.intact(ctx, one); err != nil {
			return v, failure.New(failure.Findings, fmt.Errorf("reading %s: %w", name, err))
		}
	}
	v, err = p.rebuild(ctx, source, v, l, o)
	if err == nil && signer != nil && v.Equal() {
		err = v.state(ctx, source, signer, l, o.Statement)
	}
	return v, err
}

// claim returns what an image says of itself, signed as the options require, and its lock.
func (source *imageSource) claim(ctx context.Context, name string, o VerifyImageOptions) (image Inspected, l lock.Lock, err error) {
	if err = source.choose(o.Platforms); err != nil {
		return image, l, err
	}
	if image, err = source.inspect(ctx, name); err == nil && o.Trust != (Trust{}) {
		image, err = image.Verify(o.Trust)
	}
	if err != nil {
		return image, l, err
	}
	l, err = image.AttachedLock()
	return image, l, err
}

// rebuild builds the images of v again and compares.
func (p *Project) rebuild(ctx context.Context, source imageSource, v Verified, l lock.Lock, o VerifyImageOptions) (_ Verified, err error) {
	dir := filepath.Join(p.cacheDir, "verify")
	fresh, err := p.apart(filepath.Join(dir, "engine"))
	if err != nil {
		return v, err
	}
	// One process at a time uses dir: the next one removes what a killed one has left.
	if err = os.MkdirAll(p.cacheDir, 0o700); err != nil {
		return v, errors.Join(err, fresh.Close())
	}
	held, err := atomicfile.Exclusive(ctx, dir+".lock")
	if err != nil {
		return v, errors.Join(err, fresh.Close())
	}
	defer func() { err = errors.Join(err, fresh.Close(), fresh.clear(ctx, dir), held.Close()) }()
	if err = fresh.clear(ctx, dir); err != nil {
		return v, err
	}
	list := v.each()
	b := Build{
		Draw: o.Draw, Allow: o.Allow, Variant: v.Variant, Platforms: make([]string, len(list)), Lock: &l, Labels: o.Labels, Smoke: stages.SmokeOff, NoCache: fresh.stateDir == "",
		Outputs: []output.Output{{Type: output.OCI, Dest: filepath.Join(dir, "image"), Compression: v.Image.compression(), Annotations: o.Annotations}},
	}
	b.known = map[digest.Digest]bool{}
	for i, one := range list {
		b.Platforms[i] = one.Image.Platform
		for _, layer := range one.Image.Layers { // gigabytes of weights
			b.known[layer.Digest] = true
		}
	}
	at := func(platform string) int { return slices.Index(b.Platforms, platform) }
	err = fresh.do(ctx, b, func(jobs []job) error {
		for _, j := range jobs {
			one := &list[at(j.on)]
			image, in, drawErr := j.draw(ctx, nil)
			if one.Trees = changedTrees(source.images[at(j.on)], one.Image, image, in); drawErr != nil {
				return drawErr
			}
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	if trees := list[0].Trees; len(trees) > 0 {
		p.note("differing from the image: %s", strings.Join(trees, ", "))
	}
	made, err := fresh.Build(ctx, b)
	if err != nil {
		return v, err
	}
	for _, m := range made.each() {
		i := at(m.Platform)
		one := &list[i]
		if one.Rebuilt, one.Engine, one.Snapshotter = m.Manifest, m.Engine, m.Snapshotter; !one.Equal() && err == nil {
			one.Differences, err = differences(ctx, source, source.images[i], filepath.Join(dir, "image"), v.Variant, m.Manifest)
		}
	}
	v = list[0]
	if v.Further = list[1:]; len(list) > 1 {
		v.Index = made.Manifest
	}
	return v, err
}

// each returns the images of v, not compared yet.
func (v Verified) each() (list []Verified) {
	for _, image := range append([]Inspected{v.Image}, v.Image.Further...) {
		image.Further = nil
		list = append(list, Verified{Image: image, Variant: v.Variant})
	}
	return list
}

// choose keeps the images of some platforms; if none are named, all.
func (source *imageSource) choose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var chosen []layout.Image
	var problems []error
	for _, name := range names {
		p, err := parsePlatform(name)
		i := slices.IndexFunc(source.images, func(image layout.Image) bool {
			return platforms.Format(platforms.Normalize(image.Config.Platform)) == platforms.Format(p)
		})
		if err == nil && i < 0 {
			err = fmt.Errorf("platform %q: no image for it", name)
		}
		if problems = append(problems, err); err == nil {
			chosen = append(chosen, source.images[i])
		}
	}
	source.images = chosen
	return failure.New(failure.Usage, errors.Join(problems...))
}

func (o VerifyImageOptions) check() error {
	if o.Statement != "" && o.Sign.Key == "" {
		return failure.New(failure.Usage, errors.New("a statement must be signed; add --sign"))
	}
	return o.Trust.Check()
}

// state signs that the images equal their rebuilds, and attaches the statements or writes the
// one about all that was rebuilt to a file.
func (v Verified) state(ctx context.Context, source imageSource, signer signing.Signer, l lock.Lock, file string) error {
	if file != "" && v.Index != "" && v.Index != source.top.Digest {
		err := failure.New(failure.Findings, fmt.Errorf("%s has the rebuilt images, but is not the index of them, which is %s", v.Image.Name, v.Index))
		return failure.WithHint(err, "choose one image with --platform; an annotated index requires --annotation index:KEY=VALUE")
	}
	list, err := v.statements(ctx, source, signer, l)
	if err == nil && file != "" {
		return atomicfile.Write(file, list[0].Data, 0o644)
	}
	for _, s := range list {
		if err == nil {
			err = source.attach(ctx, s.about, s.Attachment)
		}
	}
	return err
}

// statement is a signed statement about an image or an index, to attach to it.
type statement struct {
	referrer.Attachment

	about ocispec.Descriptor
}

// statements signs that the images equal their rebuilds: first of the index if all of it was
// rebuilt and equals it, then of each.
func (v Verified) statements(ctx context.Context, source imageSource, signer signing.Signer, l lock.Lock) (list []statement, err error) {
	run := attest.Rebuild{Image: source.name, Lock: digest.FromBytes(l.Format()), Lamina: Version(), Time: time.Now().UTC().Truncate(time.Second)}
	add := func(about ocispec.Descriptor, engine string, images ...digest.Digest) {
		if err != nil {
			return
		}
		run.Engine = engine
		text, problem := attest.Verification(about.Digest, run, images...)
		s := statement{about: about}
		if err = problem; err == nil {
			s.Attachment, err = attachStatement(ctx, signer, text)
		}
		s.Created = run.Time
		list = append(list, s)
	}
	all := append([]Verified{v}, v.Further...)
	if v.Index == source.top.Digest {
		images, engines := make([]digest.Digest, len(all)), make([]string, len(all))
		for i, one := range all {
			images[i], engines[i] = one.Rebuilt, one.Engine
		}
		add(source.top, strings.Join(slices.Compact(engines), ", "), images...)
	}
	for i, one := range all {
		add(source.images[i].Desc, one.Engine, one.Rebuilt)
	}
	return list, err
}

// apart returns the project on an empty engine, unless the options or the environment name
// one.
func (p *Project) apart(stateDir string) (*Project, error) {
	h, err := openHost(p.o)
	if err != nil {
		return nil, err
	}
	if len(p.o.Engines) == 0 && p.o.Builder == "" && h.env("BUILDKIT_HOST") == "" && h.env("BUILDX_BUILDER") == "" {
		h.stateDir = stateDir
	}
	root, err := p.root.OpenRoot(".")
	return &Project{host: h, dir: p.dir, root: root, file: p.file, requirements: p.requirements}, err
}

// endTimeout is how long an engine may take to stop.
const endTimeout = time.Minute

// clear stops our own engine of a verification, and removes a directory.
func (h *host) clear(ctx context.Context, dir string) error {
	if _, err := os.Stat(h.stateDir); err == nil && h.stateDir != "" {
		// Nothing may stay mounted there, even if the build was interrupted.
		waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if _, err = engine.Stop(waiting, h.engineOptions(engine.Need{}), true); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// annotation returns the attachments' annotation of a key, "" if they disagree.
func (i Inspected) annotation(key string) (value string) {
	for _, a := range i.Attached {
		if said := a.Annotations[key]; isOurs(a.Type) && said != "" {
			if value != "" && value != said {
				return ""
			}
			value = said
		}
	}
	return value
}

// BuiltWith returns the engine that the image was built with, according to its attachments:
// "BuildKit v0.34.2"; "" if they don't say.
func (i Inspected) BuiltWith() string { return i.annotation(EngineAnnotation) }

// Causes returns how the engine of the image, as far as its attachments say, differs from
// that of the rebuild: that may be why the two differ.
func (v Verified) Causes() (list []string) {
	for _, c := range []struct{ had, has string }{
		{v.Image.BuiltWith(), v.Engine}, {v.Image.annotation(SnapshotterAnnotation), v.Snapshotter},
	} {
		if c.had != "" && c.has != "" && c.had != c.has {
			list = append(list, fmt.Sprintf("the image was built with %s, and rebuilt with %s", c.had, c.has))
		}
	}
	return list
}

// compression returns that of the engine's layers, of which the lowest is always one.
func (i Inspected) compression() output.Compression {
	if len(i.Layers) == 0 {
		return ""
	}
	switch media := i.Layers[0].MediaType; {
	case strings.HasSuffix(media, "zstd"):
		return output.Zstd
	case strings.HasSuffix(media, "gzip"):
		return output.Gzip
	}
	return output.Uncompressed
}

// changedTrees returns the directories of the checkout that give other layers than the
// image's, as far as that is known before the build.
func changedTrees(had layout.Image, said Inspected, drawn stages.Image, in stages.Input) (trees []string) {
	at := 0
	bill, _ := said.Document(sbom.CycloneDXType)
	for _, p := range drawn.Parts {
		for _, l := range p.Layers {
			if diffs := had.Config.RootFS.DiffIDs; l.DiffID != "" && (at >= len(diffs) || diffs[at] != l.DiffID) {
				trees = append(trees, p.Stage+" "+l.What)
			}
			at++
		}
	}
	for _, s := range in.Sources {
		if bill != nil && !strings.Contains(string(bill), s.Layer.DiffID.Encoded()) {
			trees = append(trees, "source "+s.Project)
		}
	}
	return trees
}

func differences(ctx context.Context, source imageSource, had layout.Image, dir, variant string, made digest.Digest) (list []ImageDifference, err error) {
	l, err := layout.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	all, err := l.ReadAll(ctx, variant)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(image layout.Image) bool { return image.Desc.Digest == made })
	if i < 0 {
		return nil, fmt.Errorf("reading the rebuilt image: %s is not in %q", made, dir)
	}
	rebuilt := all[i]
	found, err := imagediff.Compare(ctx,
		imagediff.Image{Manifest: had.Manifest, Config: had.Config, Open: source.blob},
		imagediff.Image{Manifest: rebuilt.Manifest, Config: rebuilt.Config, Open: func(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
			r, openErr := l.Blob(ctx, d)
			if errdefs.IsNotFound(openErr) { // known, at another position
				return source.blob(ctx, d)
			}
			return r, openErr
		}})
	for _, d := range found {
		list = append(list, ImageDifference(d))
	}
	if err == nil && len(list) == 0 {
		list = []ImageDifference{{What: fmt.Sprintf("only the manifest itself differs: %s", rebuilt.Desc.Digest)}}
	}
	return list, err
}
