package lamina

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/attest"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/layout"
	"lamina.build/internal/resolve"
	"lamina.build/internal/signing"
	"lamina.build/internal/solve"
	"lamina.build/internal/vendorstore"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// job is the build of one image from spec and lock.
type job struct {
	*Project
	Build

	on     string // its platform: "linux/amd64"
	spec   spec.Spec
	lock   lock.Lock      // of that platform only
	whole  lock.Lock      // of all platforms
	store  content.Store  // holds the packed layers
	models *layout.Layout // holds the models that were pulled, or made by an engine
	python resolve.Access // to the files of the lock

	vendor      *vendorstore.Store       // the mirror; nil for none
	vendored    map[string]digest.Digest // from [vendorstore.Store.Find]
	unvendored  []vendorstore.Source
	submodules  map[string][]llb.Submodule // of vendored git trees, by the commit of the tree
	unpublished bool                       // take models from the layout even if they are published

	signer  signing.Signer       // nil if nothing is signed
	source  func() attest.Source // the commit of the project, the same for all platforms
	archive bool                 // take Debian's packages from the snapshot archive
	start   time.Time

	drawn *drawn // the image as the engine knows it already; nil if it doesn't

	shown func(context.Context, chan *client.SolveStatus) error // shows its part of what several jobs do; nil if it is alone
}

// drawn is an image and what it was drawn from.
type drawn struct {
	image stages.Image
	in    stages.Input
}

// draw draws the image.
func (j job) draw(ctx context.Context, e *engine.Engine) (stages.Image, stages.Input, error) {
	in, err := j.input(ctx, e)
	if err == nil && e != nil {
		err = j.findSubmodules(ctx, e, in)
	}
	if err == nil && e != nil {
		in.Apart, err = j.isApart(ctx, e, in)
	}
	if err != nil {
		return stages.Image{}, in, err
	}
	image, err := j.Build.Draw(in)
	return image, in, err
}

// work describes the making of the image for the display.
func (j job) work() Work {
	sizes := map[string]int64{}
	for _, p := range j.lock.Packages {
		sizes[llb.FetchName(p.FileName())] = p.Size
	}
	for _, d := range append(slices.Clone(j.lock.Distributions), j.lock.UV.Wheel()) {
		sizes[llb.FetchName(path.Base(d.File))] = d.Size
	}
	return Work{Task: Building, Sizes: sizes}
}

// isApart reports whether the packages that the variant adds remove files of the runtime.
// Only installing them tells: the engine does that first, once, and the image is drawn
// accordingly.
func (j job) isApart(ctx context.Context, e *engine.Engine, in stages.Input) (bool, error) {
	lists, ok := stages.Extra(in)
	if !ok {
		return false, nil
	}
	read, err := solve.Read(ctx, e.Client(), solve.ReadRequest{
		State: lists, Names: []string{llb.GoneFile}, Platform: in.Platform, Store: j.store, Cache: j.remote().Imports,
		Session: []session.Attachable{j.logins(j.insecure())}, Progress: j.watch(j.work()), Sources: j.allowed(in),
	})
	if err != nil {
		return false, e.Explain(ctx, err)
	}
	gone, _, apart := strings.Cut(string(read[0]), "\n")
	if apart {
		j.note("the packages that %s adds remove files of the runtime (%s), so it has its own operating system", j.spec.Variant, gone)
	}
	return apart, nil
}

// allowed returns the sources that an engine may fetch for an image drawn from in.
func (j job) allowed(in stages.Input) *solve.Sources {
	return j.from(slices.Concat(in.Pinned(), j.Allow)...)
}

// from returns named sources and where they come from.
func (j job) from(named ...llb.State) *solve.Sources {
	s := &solve.Sources{Named: named, Vendored: map[string]string{}, Submodules: j.submodules, Secrets: map[string]string{}, Offline: j.o.Offline}
	for _, address := range j.addresses() {
		address, _, _ = strings.Cut(address, "#")
		if id := j.python.Logins.Secret(address); id != "" {
			s.Secrets[address] = id
		}
	}
	for _, list := range j.submodules {
		for _, m := range list {
			s.Named = append(s.Named, llb.Git(m.Remote, m.Commit))
		}
	}
	for key, blob := range j.vendored {
		s.Vendored[key] = j.vendor.Identifier(blob)
	}
	if j.vendor != nil && j.vendor.Layout() != nil {
		s.Store = j.vendor.Layout().Store()
	}
	return s
}

// files returns a getter that also reads the vendored sources.
func (j job) files() *debian.Getter {
	g := j.Project.files()
	if j.vendor != nil {
		g.Vendored = func(ctx context.Context, sum string) (io.ReadCloser, error) { return j.vendor.Blob(ctx, sha256Of(sum)) }
	}
	return g
}

// input packs the local trees and gathers the input of the image. Without an engine it
// has no devices.
func (j job) input(ctx context.Context, e *engine.Engine) (stages.Input, error) {
	if err := j.checkDebconf(); err != nil {
		return stages.Input{}, err
	}
	mirrors, err := j.mirrors(j.spec.Debian.Mirror, j.lock)
	if err != nil {
		return stages.Input{}, err
	}
	if j.archive {
		mirrors = debian.Merge(debian.Snapshot(j.lock.Created()), mirrors)
	}
	gpus, err := j.gpus(ctx, e)
	if err != nil {
		return stages.Input{}, err
	}
	models, err := j.images(ctx, e)
	if err != nil {
		return stages.Input{}, err
	}
	in, err := j.pack(ctx, mirrors, models, gpus)
	if err != nil {
		return stages.Input{}, fmt.Errorf("preparing %s: %w", j.spec.Name, err)
	}
	return in, nil
}

// gpuKind begins the CDI names of NVIDIA's devices; by convention, allGPUs stands for all.
const (
	gpuKind = "nvidia.com/gpu="
	allGPUs = gpuKind + "all"
)

// gpus returns the NVIDIA devices that the engine has by CDI, for the tests that need one.
func (j job) gpus(ctx context.Context, e *engine.Engine) ([]string, error) {
	if e == nil || len(j.spec.Smoke.GPU) == 0 || j.Smoke != stages.SmokeAll {
		return nil, nil
	}
	workers, err := e.Client().ListWorkers(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the engine's devices: %w", err)
	}
	var names []string
	for _, w := range workers {
		for _, d := range w.CDIDevices {
			names = append(names, d.Name)
		}
	}
	found := gpusOf(names)
	if len(found) == 0 {
		j.note("skipping the tests of [smoke.gpu]: the engine has no NVIDIA device. It reads CDI specs, as \"nvidia-ctk cdi generate\" writes them, " +
			"from /etc/cdi and /var/run/cdi, or from the specDirs under [cdi] in its buildkitd.toml")
	}
	return found, nil
}

// gpusOf returns the NVIDIA devices of an engine: allGPUs if it is among them, else each.
func gpusOf(devices []string) []string {
	var each []string
	for _, name := range devices {
		if name == allGPUs {
			return []string{name}
		}
		if strings.HasPrefix(name, gpuKind) && !slices.Contains(each, name) {
			each = append(each, name)
		}
	}
	return each
}

// hasWeights reports whether there are layers that are kept uncompressed.
func (j job) hasWeights() bool {
	return len(j.spec.Models) > 0 && j.spec.Weights == spec.WeightsLayers
}

// disk returns how much the engine writes for the image, except weights, by step. It is
// empty with a remote cache, since the cache hits are unknown beforehand.
func (j job) disk() map[string]int64 {
	if len(j.Cache.Imports) > 0 {
		return map[string]int64{}
	}
	in := j.ground(nil)
	in.Python.Prune, in.Sources = j.spec.Python.Prune, make([]stages.Source, len(j.spec.Python.Sources))
	return in.Disk()
}

func bytesOf[T any](list []T, size func(T) int64) (sum int64) {
	for _, one := range list {
		sum += size(one)
	}
	return sum
}
