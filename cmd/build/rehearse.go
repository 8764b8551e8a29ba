package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/container"
	"lamina.build/internal/debian"
	"lamina.build/internal/fault"
	"lamina.build/internal/layout"
	"lamina.build/internal/output"
	"lamina.build/internal/rehearsal"
	"lamina.build/internal/report"
	"lamina.build/lock"
)

// rehearser is a rehearsal while it goes on.
type rehearser struct {
	app   *app
	o     rehearseOptions
	world *rehearsal.World
	dir   string // for the project and the images
	runc  string

	builder *app // lives in the world; its engine is the same for all variants
	memory  *memory
}

// rehearse builds and tries the variants, one after the other. What a world needs
// is a test: t is none, and lasts as long as the rehearsal.
func (r *rehearser) rehearse(t testing.TB, dir string) (err error) {
	t.Helper()
	if err = r.open(t, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.builder.close()) }()
	r.app.ui.note("addresses and commits of the spec that stand-ins have others for: %d", replaced(r.world.Replacements()))
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VARIANT\tLAYERS\tSIZE\tBUILT\tREADY\tJOB")
	for _, variant := range r.o.variants {
		if err := r.variant(t, w, variant); err != nil {
			return fmt.Errorf("rehearsing %s: %w", variant, err)
		}
	}
	return errors.Join(w.Flush(), r.app.ui.result(table.String()))
}

// open makes a world around the example in a folder, and the project in it.
func (r *rehearser) open(t testing.TB, dir string) (err error) {
	t.Helper()
	if r.dir, err = r.o.place(t, dir); err != nil {
		return err
	}
	if r.memory, err = r.app.recall(dir); err != nil {
		return err
	}
	if r.world, err = r.app.openWorld(t, r.o, dir, r.memory.address); err != nil {
		return err
	}
	if err = r.world.Project(r.project()); err != nil {
		return fault.New(fault.Usage, fmt.Errorf("rehearsing %q: %w", dir, err))
	}
	r.builder = &app{ui: r.app.ui.without(), env: r.env()}
	return r.memory.restore(r.project())
}

// place is the folder for what is made: the one to be kept, else a temporary one.
func (o rehearseOptions) place(t testing.TB, example string) (string, error) {
	t.Helper()
	if o.keep == "" {
		return t.TempDir(), nil
	}
	if inside, err := isInside(o.keep, example); err != nil || inside {
		err = errors.Join(err, fmt.Errorf("flag --keep: folder %q lies in the one that is rehearsed, and would be copied into itself", o.keep))
		return "", fault.New(fault.Usage, err)
	}
	entries, err := os.ReadDir(o.keep)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		return "", fault.New(fault.Usage, errors.Join(err, fmt.Errorf("flag --keep: folder %q is not an empty one", o.keep)))
	}
	return o.keep, os.MkdirAll(o.keep, 0o755) //nolint:gosec // the user names the path
}

// isInside says whether a path is a folder or lies in it.
func isInside(path, folder string) (bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return false, err
	}
	rest, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rest), err
}

func replaced(list []rehearsal.Replacement) (n int) {
	for _, one := range list {
		n += one.Times
	}
	return n
}

// openWorld starts the stand-ins for what the spec in a folder asks for.
func (a *app) openWorld(t testing.TB, o rehearseOptions, dir, address string) (*rehearsal.World, error) {
	mirrors, err := a.mirrors(o.mirror, "", lock.Lock{})
	if err != nil {
		return nil, err
	}
	cache, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	a.ui.note("making packages, repositories and a model for %s at small scale", dir)
	return rehearsal.New(t, rehearsal.Options{
		Example: os.DirFS(dir), Getter: debian.NewGetter(filepath.Join(cache, filesDir)), Mirrors: mirrors,
		Address: address,
	}), nil
}

func (r *rehearser) project() string { return filepath.Join(r.dir, "project") }

// variant builds one, tries it, and writes a line about it.
func (r *rehearser) variant(t testing.TB, w io.Writer, variant string) error {
	t.Helper()
	r.app.ui.note("rehearsing %s", variant)
	start := time.Now()
	if err := r.build(t.Context(), variant); err != nil {
		return err
	}
	built := time.Since(start)
	if r.memory.lock == nil {
		if err := r.memory.save(r.world.Address(), r.project()); err != nil {
			return err
		}
	}
	image, trial, err := r.try(t, variant)
	if err != nil {
		return err
	}
	var size int64
	for _, d := range image.Layers() {
		size += d.Size
	}
	fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s: %g s of film, %dx%d, with sound\n", variant, len(image.Layers()), report.Size(size),
		report.Duration(built), report.Duration(trial.Ready), report.Duration(trial.Job), trial.Film.Seconds, trial.Film.Width, trial.Film.Height)
	return nil
}

// try runs the image of a variant.
func (r *rehearser) try(t testing.TB, variant string) (image layout.Image, trial rehearsal.Trial, err error) {
	t.Helper()
	ctx := t.Context()
	l, err := layout.Open(ctx, r.images())
	if err != nil {
		return image, trial, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if image, err = l.Read(ctx, variant); err != nil {
		return image, trial, err
	}
	m, err := container.New(ctx, r.runc, l, image, t.TempDir())
	if err != nil {
		return image, trial, err
	}
	r.app.ui.note("starting %s", variant)
	trial, err = r.world.Try(ctx, m, !slices.ContainsFunc(image.Config.History, isWeights))
	return image, trial, err
}

func isWeights(h ocispec.History) bool { return h.CreatedBy == "lamina model" }

func (r *rehearser) images() string { return filepath.Join(r.dir, "images") }

// env is the environment with the world's hub for the real one.
func (r *rehearser) env() func(string) string {
	return func(name string) string {
		for _, kv := range r.world.Env() {
			if key, value, _ := strings.Cut(kv, "="); key == name {
				return value
			}
		}
		return r.app.env(name)
	}
}

// build builds a variant. Where that fails with the lock of an earlier rehearsal,
// which may be of packages that a mirror has dropped, it is tried with another one.
func (r *rehearser) build(ctx context.Context, variant string) error {
	err := r.attempt(ctx, variant)
	if err == nil || ctx.Err() != nil || !r.memory.forget(r.project()) {
		return err
	}
	r.app.ui.note("failed with the lock of an earlier rehearsal, so once more with another: %v", err)
	return r.attempt(ctx, variant)
}

// attempt builds a variant as "build image" does. The small weights aren't left among
// the user's models.
func (r *rehearser) attempt(ctx context.Context, variant string) error {
	models, err := layout.Open(ctx, filepath.Join(r.dir, modelsDir))
	if err != nil {
		return err
	}
	if err := models.Close(); err != nil {
		return err
	}
	place := output.Output{Type: output.OCI, Dest: r.images(), Level: output.DefaultLevel}
	return runImage(ctx, r.builder, []string{
		"--variant", variant, "--progress", r.progress(), "--addr", r.o.addr, "--debian-mirror", r.o.mirror,
		"--models", filepath.Join(r.dir, modelsDir), "--output", place.String(), r.project(),
	})
}

// progress is how the builds of a rehearsal are shown: of thousands of steps nobody
// wants a log.
func (r *rehearser) progress() string {
	if r.o.mode.value == "auto" && !isTerminal(r.app.ui.stderr) {
		return "quiet"
	}
	return r.o.mode.value
}
