package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/cache"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/solve/readback"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/spec"
	"lamina.build/stages"
)

// Build says which image is built, and how. The zero value is production, with all
// smoke tests, into the OCI layout dist/NAME below the current folder.
type Build struct {
	Variant string          // "" is production
	Smoke   stages.Level    // "" is [stages.SmokeAll]
	Outputs []output.Output // where the image goes
	Cache   cache.Remote    // caches outside the engine
	NoCache bool            // run every step anew

	// Attach is what the image gets beside it, in each registry that it is pushed to and in
	// the layout.
	Attach []Attachment
	// Labels are those of the image's config beside the spec's, over which they win. Nothing
	// of a commit or a date is among them unless it is named here or there.
	Labels map[string]string
	// Platform is what the image must be for, "linux/amd64", "arm64" or "local": a spec is for
	// one platform. The default is that.
	Platform string

	// CheckReproducible installs the Debian packages of the image twice. Where that gives two
	// results, the image gets no name, and the error holds a [ReproducibleError] for each layer.
	CheckReproducible bool

	Stdout io.Writer // what an output to "-" is written to

	// Lock is what the image is made of, which must fit the spec. The default is
	// [Project.Locked].
	Lock *lock.Lock
	// Draw draws the image from what it is made of. The default is [stages.New], which
	// takes further layers; one's own may change what comes in or what comes out, or draw
	// something else. It may be called more than once, and must give the same for the same.
	Draw func(stages.Input) (stages.Image, error)
	// Allow are sources that Draw adds, such as [llb.Fetch] and [llb.Git]. The engine denies
	// whatever is neither among them nor named by lock and spec.
	Allow []llb.State
}

// Draw draws the image without an engine: nothing is made, and of what has to be
// fetched nothing but what the drawing needs.
func (p *Project) Draw(ctx context.Context, b Build) (image stages.Image, err error) {
	err = p.do(ctx, b, func(j job) error {
		image, _, err = j.draw(ctx, nil)
		return err
	})
	return image, err
}

// Build has an engine make the image and keeps what came out. Where there is no lock
// yet, one is made and written first.
func (p *Project) Build(ctx context.Context, b Build) (made Made, err error) {
	err = p.do(ctx, b, func(j job) error {
		made, err = j.build(ctx)
		return err
	})
	return made, err
}

// do gathers what a job needs, does it, and lets go.
func (p *Project) do(ctx context.Context, b Build, work func(job) error) (err error) {
	if p.o.Insecure {
		b = b.insecurely()
	}
	j := job{Project: p, Build: b, start: time.Now(), unpublished: p.o.Offline}
	j.Variant, j.Smoke = cmp.Or(b.Variant, spec.Production), cmp.Or(b.Smoke, stages.SmokeAll)
	defer func() { err = explain(ctx, err) }()
	ctx = p.reach(ctx)
	if err = errors.Join(b.Check(), p.checkOffline(b)); err != nil {
		return err
	}
	p.registries.use(b.references(), nil)
	if len(b.Outputs) == 0 {
		j.Outputs = []output.Output{{Type: output.OCI}}
	}
	if b.Draw == nil {
		j.Build.Draw = func(in stages.Input) (stages.Image, error) { return stages.New(in) }
	}
	if j.spec, err = p.file.Variant(j.Variant); err != nil {
		return err
	}
	if err = j.checkPlatforms(); err != nil {
		return err
	}
	models, err := p.findModels(ctx, p.o.Models)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, models.Close()) }()
	j.models = models
	if j.vendor, err = p.openVendored(ctx); err != nil {
		return err
	}
	if j.vendor != nil {
		defer func() { err = errors.Join(err, j.vendor.Close()) }()
	}
	if b.Lock != nil {
		if j.lock, err = *b.Lock, p.CheckLock(*b.Lock); err != nil {
			return err
		}
	} else if j.lock, err = p.Locked(ctx); err != nil {
		return err
	}
	p.registries.use(nil, published(j.lock))
	store, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j.store = store
	if err = j.findVendored(ctx); err != nil {
		return err
	}
	access := p.resolver()
	access.Offline = p.o.Offline
	access.Vendored = func(d lock.Distribution) bool { return j.vendored[sha256Of(d.SHA256).String()] != "" }
	if j.python, err = access.Access(ctx, j.lock); err != nil {
		return err
	}
	j.lock = j.python.Lock
	return j.explainMissing(ctx, work(j))
}

// Check finds what no build can mean, of whichever project, all of it at once. Nothing
// is done where it finds anything.
func (b Build) Check() error {
	var faults []error
	if !slices.Contains([]stages.Level{"", stages.SmokeAll, stages.SmokeRuntime, stages.SmokeOff}, b.Smoke) {
		faults = append(faults, fmt.Errorf("smoke level %q is none of all, runtime, off", b.Smoke))
	}
	if b.Stdout == nil && slices.ContainsFunc(b.Outputs, output.Output.ToStdout) {
		faults = append(faults, errors.New("an output goes to \"-\", and there is no Stdout"))
	}
	if b.Platform != "" {
		_, err := parsePlatform(b.Platform)
		faults = append(faults, err)
	}
	faults = append(faults, output.CheckAll(b.Outputs), b.Cache.Check(), b.checkAttachments())
	for _, e := range slices.Concat(b.Cache.Imports, b.Cache.Exports) {
		if ref := e.Attrs["ref"]; ref != "" {
			faults = append(faults, output.CheckReference(ref))
		}
	}
	for _, o := range b.Outputs {
		for _, name := range o.Names {
			if o.Push {
				faults = append(faults, registry.Check(name))
			}
		}
	}
	return failure.New(failure.Usage, errors.Join(faults...))
}

// build makes the image. What can't be written to and what can't be reached is found
// out before the trees are packed.
func (j job) build(ctx context.Context) (made Made, err error) {
	x, err := readback.NewExports(j.Outputs, j.spec.Name, j.spec.Variant, j.hasWeights())
	if err != nil {
		return made, err
	}
	weights, err := j.fetchNeed(ctx)
	if err != nil {
		return made, err
	}
	steps := j.disk()
	need := engine.Need{Platform: j.spec.Platform, Disk: maps.Clone(steps)}
	if j.NoCache {
		steps = nil // noted before or not, each is made
		need.Disk = map[string]int64{"anew": need.Bytes()}
	}
	need.Disk["weights"] = weights
	e, err := j.openEngine(ctx, need)
	if err != nil {
		return made, err
	}
	e.Noted(steps)
	stdout := &counted{Writer: j.Stdout}
	for n := 0; ; n++ {
		made, err = j.buildOn(ctx, e, x, stdout)
		err = j.explainPush(ctx, err)
		if err == nil || ctx.Err() != nil || stdout.n > 0 {
			return made, err
		}
		pause, again := pushAgain(err, n)
		switch {
		case again:
			j.note("%v: trying again in %s", err, pause)
			if failure.Pause(ctx, pause) != nil {
				return made, err
			}
			j.NoCache = false // all is made
		case errors.Is(err, engine.ErrLost) && e.Kind == engine.Given:
			j.lost = append(j.lost, e.Addr)
			other, openErr := j.openEngine(ctx, need)
			if openErr != nil {
				return made, err
			}
			j.note("%v: building on at %s", err, other.Addr)
			e = other
		default:
			return made, err
		}
		if x, err = readback.NewExports(j.Outputs, j.spec.Name, j.spec.Variant, j.hasWeights()); err != nil {
			return made, err
		}
	}
}

// counted knows how much was written: what has been cannot be again.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// buildOn has one engine make the image.
func (j job) buildOn(ctx context.Context, e *engine.Engine, x *readback.Exports, stdout io.Writer) (made Made, err error) {
	if err = x.Open(ctx, stdout); err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	result, err := j.solve(ctx, e, x)
	if err != nil {
		return made, err
	}
	if j.CheckReproducible {
		if err = j.checkReproducible(ctx, e); err != nil {
			return made, err
		}
	}
	x.Documents = j.documents(result.in, result.LeftOut, "BuildKit "+e.Version)
	image, err := x.Keep(ctx)
	if err != nil {
		return made, err
	}
	cacheFaults, err := j.exportCaches(ctx, e, result)
	if err != nil {
		return made, err
	}
	made = Made{
		Name: j.spec.Name, Variant: j.spec.Variant, Platform: j.spec.Platform,
		Descriptor: result.Descriptor, Manifest: image.Desc.Digest, Config: cmp.Or(image.Manifest.Config.Digest, result.Config),
		Layers:  layersOf(image.Manifest, image.Config.Image),
		LeftOut: j.leftOut(result.LeftOut), CacheFaults: cacheFaults,
		Engine: "BuildKit " + e.Version, Lock: digest.FromBytes(j.lock.Format()),
	}
	if image.Desc.Digest != "" {
		made.Descriptor = image.Desc
	}
	for _, p := range result.Pruned {
		made.Pruned = append(made.Pruned, Pruned(p))
	}
	for _, r := range result.Removed {
		made.Removed = append(made.Removed, Removed(r))
	}
	made.Notes = result.Notes
	for i, o := range x.Outputs {
		saved := Saved{Output: o, Manifest: x.Kept[i]}
		if o.Layout() {
			saved.Tag = j.spec.Variant
		}
		if o.ByDigest {
			saved.Names = nil
			for _, name := range o.Names {
				saved.Names = append(saved.Names, name+"@"+saved.Manifest.String())
			}
		}
		made.Saved = append(made.Saved, saved)
	}
	for _, d := range x.Attached {
		made.Attached = append(made.Attached, Attached{Type: d.ArtifactType, Digest: d.Digest})
	}
	made.Took = time.Since(j.start)
	return made, nil
}

// leftOut tells of everything optional that the image lacks: what its lock has
// no version of, and what could not be built.
func (j job) leftOut(unbuilt []string) []string {
	omitted := j.lock.OmittedIn(j.spec.Variant)
	list := make([]string, 0, len(omitted)+len(unbuilt))
	for _, o := range omitted {
		list = append(list, fmt.Sprintf("%s: %s", o.Requirement, o.Reason))
	}
	for _, name := range unbuilt {
		list = append(list, name+": it could not be built")
	}
	return list
}
