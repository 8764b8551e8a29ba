package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"

	"lamina.build/cache"
	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/layout"
	"lamina.build/internal/layout/blobstore"
	"lamina.build/internal/pack"
	"lamina.build/internal/prepare"
	"lamina.build/internal/python"
	"lamina.build/internal/report"
	"lamina.build/internal/requirements"
	"lamina.build/internal/spec"
	"lamina.build/lock"
	"lamina.build/stages"
)

// packedFor is how long a packed layer is kept that no build uses.
const packedFor = 30 * 24 * time.Hour

// job is one image on its way from spec and lock.
type job struct {
	plan
	app     *app
	project *project
	spec    spec.Spec
	lock    lock.Lock
	store   content.Store  // holds the packed layers
	models  *layout.Layout // holds the models that were pulled, or made by an engine
	logins  python.Logins  // of the hosts that wheels come from
	unset   []requirements.Unset

	elsewhere map[string]string    // where a mirror has files of the lock, by sha256
	mirrored  python.MirrorOptions // which mirror that is
	archive   bool                 // take Debian's packages from the archive of its past
	start     time.Time
}

func (a *app) openStore(ctx context.Context) (*blobstore.Store, error) {
	dir, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	return pack.OpenStore(ctx, filepath.Join(dir, "packed"), packedFor)
}

// draw draws the image.
func (j job) draw(ctx context.Context, e *engine.Engine) (stages.Image, error) {
	in, err := j.input(ctx, e)
	if err != nil {
		return stages.Image{}, err
	}
	return stages.New(in)
}

// input packs the local trees and gathers what the image is made of. Without an
// engine there is no telling of its devices.
func (j job) input(ctx context.Context, e *engine.Engine) (stages.Input, error) {
	dir, err := j.app.cacheDir()
	if err != nil {
		return stages.Input{}, err
	}
	mirrors, err := j.app.mirrors(j.mirror, j.spec.Debian.Mirror, j.lock)
	if err != nil {
		return stages.Input{}, err
	}
	if j.archive {
		mirrors = debian.Merge(debian.Snapshot(j.lock.Created()), mirrors)
	}
	gpu, err := hasGPU(ctx, e)
	if err != nil {
		return stages.Input{}, err
	}
	models, err := j.images(ctx, e)
	if err != nil {
		return stages.Input{}, err
	}
	in, err := prepare.Input(ctx, prepare.Options{
		Root: j.project.root.FS(), Spec: j.spec, Lock: j.lock, Mirrors: mirrors,
		Store: j.store, Level: j.smoke, Device: gpu, Models: models,
		Getter:   debian.NewGetter(filepath.Join(dir, filesDir)),
		ToolsDir: filepath.Join(dir, toolsDir),
		Note:     func(line string) { j.app.ui.note("%s", line) },
	})
	if err != nil {
		return stages.Input{}, fmt.Errorf("preparing %s: %w", j.spec.Name, err)
	}
	in.Python.URLs = j.elsewhere
	return in, nil
}

// hasGPU says whether the engine knows an NVIDIA device by CDI.
func hasGPU(ctx context.Context, e *engine.Engine) (bool, error) {
	if e == nil {
		return false, nil
	}
	workers, err := e.Client().ListWorkers(ctx)
	if err != nil {
		return false, fmt.Errorf("asking the engine for its devices: %w", err)
	}
	for _, w := range workers {
		for _, d := range w.CDIDevices {
			if strings.HasPrefix(d.Name, "nvidia.com/gpu") {
				return true, nil
			}
		}
	}
	return false, nil
}

// hasWeights says whether there are layers that are kept uncompressed.
func (j job) hasWeights() bool {
	return len(j.spec.Models) > 0 && j.spec.Weights == spec.WeightsLayers
}

// remote is the cache outside the engine: each variant and platform has one of
// its own.
func (j job) remote() cache.Remote {
	own := cache.Remote{Imports: slices.Clone(j.cache.Imports), Exports: slices.Clone(j.cache.Exports)}
	for _, list := range [][]cache.Entry{own.Imports, own.Exports} {
		for i := range list {
			list[i] = list[i].For(j.spec.Variant, j.spec.Platform)
		}
	}
	return own
}

// diskNeed is what a build of the lock occupies at most: packed, unpacked, and
// as layers. Wheels unpack to twice their size, two times: as they are
// installed, and as a layer.
func diskNeed(l lock.Lock) int64 {
	const perByte, perWheelByte = 8, 6
	return packagesSize(l)*perByte + distributionsSize(l)*perWheelByte
}

// tell prints the summary and writes the files that scripts asked for. The
// summary makes way where the image itself takes the standard output.
func (j job) tell(x *exports, r report.Image) error {
	metadata, err := r.Metadata()
	if err != nil {
		return err
	}
	if j.metadata != "" {
		err = atomicfile.Write(j.metadata, metadata, 0o644)
	}
	if j.iidfile != "" {
		err = errors.Join(err, atomicfile.Write(j.iidfile, []byte(r.Config.String()), 0o644))
	}
	if err != nil {
		return fmt.Errorf("writing what was built: %w", err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		return err
	}
	for _, o := range x.outputs {
		if o.ToStdout() {
			j.app.ui.note("%s", text.String())
			return nil
		}
	}
	return j.app.ui.result(text.String())
}
