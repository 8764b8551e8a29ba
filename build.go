package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/cache"
	"lamina.build/internal/attest"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/internal/solve/readback"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/spec"
	"lamina.build/stages"
)

// Build describes an image to build. The zero value is production, with all smoke tests,
// into the OCI layout dist/NAME below the current directory.
type Build struct {
	Variant string          // "" is production
	Smoke   stages.Level    // "" is [stages.SmokeAll]
	Outputs []output.Output // where the image goes
	Cache   cache.Remote    // caches outside the engine
	NoCache bool            // run every step again

	// Attach lists the documents to attach to the image, in each registry that it is pushed
	// to and in the layout.
	Attach []Attachment
	// Sign is how to sign the image and its attachments.
	Sign Signing
	// Labels are added to the spec's labels in the image's config, and win over them. No
	// commit or date is among them unless named here or there.
	Labels map[string]string
	// Platforms are the platforms to build of those in the spec, "linux/amd64", "arm64" or
	// "local". The default is all of them; several make an index.
	Platforms []string

	// CheckReproducible installs the Debian packages of the image twice. If the results
	// differ, the image gets no name, and the error holds a [ReproducibleError] for each layer.
	CheckReproducible bool

	Stdout io.Writer // what an output to "-" is written to

	// Lock is the lock to build from, which must fit the spec. The default is
	// [Project.Locked].
	Lock *lock.Lock
	// Draw draws the image from its input. The default is [stages.New], which accepts further
	// layers; another function may change the input or the result, or draw something else. It
	// may be called more than once, and must return equal images for equal inputs.
	Draw func(stages.Input) (stages.Image, error)
	// Allow lists the sources that Draw adds, such as [llb.Fetch] and [llb.Git]. The engine
	// denies all others that neither lock nor spec names.
	Allow []llb.State

	known map[digest.Digest]bool // layers that the layout of a rebuild needs no copy of
}

// Draw draws the image without an engine, for the first of several platforms. It builds
// nothing and fetches only what the drawing requires.
func (p *Project) Draw(ctx context.Context, b Build) (image stages.Image, err error) {
	err = p.do(ctx, b, func(jobs []job) error {
		image, _, err = jobs[0].draw(ctx, nil)
		return err
	})
	return image, err
}

// Build has an engine make the image and stores the result. If there is no lock yet, it
// makes and writes one first.
func (p *Project) Build(ctx context.Context, b Build) (made Made, err error) {
	err = p.do(ctx, b, func(jobs []job) error {
		made, err = build(ctx, jobs)
		return err
	})
	return made, err
}

// do prepares the jobs of a build, one for each platform, runs work on them, and releases
// what they held.
func (p *Project) do(ctx context.Context, b Build, work func([]job) error) (err error) {
	if p.o.Insecure {
		b = b.insecurely()
	}
	j := job{Project: p, Build: b, start: time.Now(), unpublished: p.o.Offline, submodules: map[string][]llb.Submodule{}}
	j.Variant, j.Smoke = cmp.Or(b.Variant, spec.Production), cmp.Or(b.Smoke, stages.SmokeAll)
	defer func() { err = explain(ctx, err) }()
	ctx = p.reach(ctx)
	if err = errors.Join(b.Check(), p.checkOffline(b)); err != nil {
		return err
	}
	if j.signer, err = p.signer(b.Sign); err != nil {
		return err
	}
	j.source = sync.OnceValue(func() attest.Source { return p.checkedOut(ctx) })
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
	if err = j.choosePlatforms(); err != nil {
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
		if j.whole, err = *b.Lock, p.CheckLock(*b.Lock); err != nil {
			return err
		}
	} else if j.whole, err = p.Locked(ctx); err != nil {
		return err
	}
	p.registries.use(nil, published(j.whole))
	store, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j.store = store
	j.lock, _ = j.whole.For(j.Platforms[0])
	if err = j.findVendored(ctx); err != nil {
		return err
	}
	jobs, err := j.each(ctx)
	if err != nil {
		return err
	}
	return j.explainMissing(ctx, work(jobs))
}

// each returns the jobs of the platforms, which share all that doesn't depend on the platform.
func (j job) each(ctx context.Context) ([]job, error) {
	access := j.resolver()
	access.Offline = j.o.Offline
	access.Vendored = func(d lock.Distribution) bool { return j.vendored[sha256Of(d.SHA256).String()] != "" }
	believed, jobs := j.whole.Each(), make([]job, len(j.Platforms))
	for i, platform := range j.Platforms {
		at := slices.Index(j.whole.Platforms(), platform) // it fits the spec, which has the platform
		one := j
		var err error
		if one.python, err = access.Access(ctx, believed[at]); err != nil {
			return nil, err
		}
		one.on, one.lock, believed[at] = platform, one.python.Lock, one.python.Lock
		jobs[i] = one
	}
	for i := range jobs {
		jobs[i].whole = lock.Join(believed)
	}
	return jobs, nil
}

// Check reports all problems of b that no project could make valid. A build with problems
// does nothing.
func (b Build) Check() error {
	var problems []error
	if !slices.Contains([]stages.Level{"", stages.SmokeAll, stages.SmokeRuntime, stages.SmokeOff}, b.Smoke) {
		problems = append(problems, fmt.Errorf("smoke level %q is not one of all, runtime, off", b.Smoke))
	}
	if b.Stdout == nil && slices.ContainsFunc(b.Outputs, output.Output.ToStdout) {
		problems = append(problems, errors.New("an output goes to \"-\", but Stdout is nil"))
	}
	for _, name := range b.Platforms {
		_, err := parsePlatform(name)
		problems = append(problems, err)
	}
	problems = append(problems, output.CheckAll(b.Outputs), b.Cache.Check(), b.checkAttachments())
	for _, e := range slices.Concat(b.Cache.Imports, b.Cache.Exports) {
		if ref := e.Attrs["ref"]; ref != "" {
			problems = append(problems, output.CheckReference(ref))
		}
	}
	for _, o := range b.Outputs {
		for _, name := range o.Names {
			if o.Push {
				problems = append(problems, registry.Check(name))
			}
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}

// site is a job and the engine that runs it.
type site struct {
	job

	engine *engine.Engine
	need   engine.Need
}

// build makes the image of each platform, and the index of several. It reports outputs that
// can't be written and engines out of reach before it packs the trees.
func build(ctx context.Context, jobs []job) (made Made, err error) {
	j := jobs[0]
	outputs := func() (*readback.Exports, error) {
		return readback.NewExports(j.Outputs, j.spec.Name, j.spec.Variant, j.hasWeights(), j.Platforms...)
	}
	x, err := outputs()
	if err = errors.Join(err, checkCacheDirs(j.Cache)); err != nil {
		return made, err
	}
	sites, err := openSites(ctx, jobs)
	if err != nil {
		return made, err
	}
	stdout := &counted{Writer: j.Stdout}
	for n := 0; ; n++ {
		var at int
		made, at, err = buildOn(ctx, sites, x, stdout)
		err = j.explainPush(ctx, err)
		if err == nil || ctx.Err() != nil || stdout.n > 0 {
			return made, err
		}
		pause, again := pushAgain(err, n)
		switch s := &sites[at]; {
		case again:
			j.note("%v: trying again in %s", err, pause)
			if failure.Pause(ctx, pause) != nil {
				return made, err
			}
			for i := range sites {
				sites[i].NoCache = false // all steps have run
			}
		case errors.Is(err, engine.ErrLost) && s.engine.Kind == engine.Given:
			j.lost = append(j.lost, s.engine.Addr)
			other, openErr := j.openEngine(ctx, s.need)
			if openErr != nil {
				return made, err
			}
			j.note("%v: continuing at %s", err, other.Addr)
			s.engine = other
		default:
			return made, err
		}
		if x, err = outputs(); err != nil {
			return made, err
		}
	}
}

// openSites opens the engine of each platform. It reports a missing engine before anything
// is made for another platform.
func openSites(ctx context.Context, jobs []job) ([]site, error) {
	sites, problems := make([]site, len(jobs)), make([]error, len(jobs))
	for i, j := range jobs {
		weights, err := j.fetchNeed(ctx)
		if err != nil {
			return nil, err
		}
		steps := j.disk()
		need := engine.Need{Platform: j.on, Disk: maps.Clone(steps)}
		if j.NoCache {
			steps = nil // each runs, whether noted before or not
			need.Disk = map[string]int64{"anew": need.Bytes()}
		}
		need.Disk["weights"] = weights
		e, err := j.openEngine(ctx, need)
		if err != nil {
			problems[i] = j.of(err)
			continue
		}
		e.Noted(steps)
		sites[i] = site{j, e, need}
	}
	return sites, errors.Join(problems...)
}

// of adds the platform to an error if there are several.
func (j job) of(err error) error {
	if err == nil || len(j.Platforms) == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", j.on, err)
}

// counted counts the bytes written, which can't be written again.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// buildOn has the engines make the images. It returns an error with the index of its site.
func buildOn(ctx context.Context, sites []site, x *readback.Exports, stdout io.Writer) (made Made, at int, err error) {
	if err = x.Open(ctx, stdout); err != nil {
		return made, 0, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	x.IndexDocuments = sites[0].indexDocuments(ctx)
	results, isMade := make([]solved, len(sites)), false
	sites = slices.Clone(sites) // what is drawn is for these engines
	if len(sites) > 1 {
		if isMade, err = sideBySide(ctx, sites); err != nil {
			return made, 0, err
		}
	}
	for i, s := range sites {
		if isMade {
			s.NoCache = false // all steps have run
			s.note("exporting for %s", s.on)
		} else if len(sites) > 1 {
			s.note("building for %s", s.on)
		}
		if results[i], err = s.make(ctx, x); err == nil && i < len(sites)-1 {
			err = x.Next(ctx)
		}
		if err != nil {
			return made, i, s.of(err)
		}
	}
	at = len(sites) - 1
	top, err := x.Keep(ctx)
	if err != nil {
		return made, at, err
	}
	images := make([]Made, len(sites))
	for i, s := range sites {
		var problems []string
		if problems, err = s.exportCaches(ctx, s.engine, results[i]); err != nil {
			return made, i, err
		}
		images[i] = s.made(results[i], x.Images[i], problems)
	}
	made = together(images, top.Desc)
	for i, o := range x.Outputs {
		saved := Saved{Output: o, Manifest: x.Kept[i]}
		if o.Layout() {
			saved.Tag = made.Variant
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
	made.Took = time.Since(sites[0].start)
	return made, at, nil
}

// make has the engine make the image of one platform.
func (s site) make(ctx context.Context, x *readback.Exports) (solved, error) {
	result, err := s.solve(ctx, s.engine, x)
	if err == nil && s.CheckReproducible {
		err = s.checkReproducible(ctx, s.engine)
	}
	x.Documents = s.documents(ctx, result.in, result.LeftOut)
	return result, err
}

// builtWith names the engine for people: "BuildKit v0.34.2".
func (s site) builtWith() string { return "BuildKit " + s.engine.Version }

// made describes the image of one platform.
func (s site) made(result solved, image layout.Image, cacheProblems []string) Made {
	made := Made{
		Name: s.spec.Name, Variant: s.spec.Variant, Platform: s.on,
		Descriptor: result.Descriptor, Manifest: image.Desc.Digest, Config: cmp.Or(image.Manifest.Config.Digest, result.Config),
		Layers:  layersOf(image.Manifest, image.Config.Image),
		LeftOut: s.leftOut(result.LeftOut), Notes: result.Notes, CacheProblems: cacheProblems,
		Engine: s.builtWith(), Snapshotter: s.engine.Snapshotter, Lock: digest.FromBytes(s.whole.Format()),
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
	return made
}

// leftOut lists everything optional that the image lacks: what its lock has no version
// of, and what could not be built.
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
