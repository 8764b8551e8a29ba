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
	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/layout"
	"lamina.build/internal/rehearsal"
	"lamina.build/internal/report"
	"lamina.build/lock"
)

// stage is a rehearsal while it goes on.
type stage struct {
	app   *app
	o     rehearseOptions
	world *rehearsal.World
	dir   string // for the project and the images
	runc  string
}

// rehearse builds and tries the variants, one after the other. What a world needs
// is a test: t is none, and lasts as long as the rehearsal.
func (a *app) rehearse(t testing.TB, o rehearseOptions, dir string) (err error) {
	s := stage{app: a, o: o}
	if s.dir, err = o.place(t); err != nil {
		return err
	}
	if s.world, err = a.openWorld(t, o, dir); err != nil {
		return err
	}
	if s.runc, err = a.findRunc(t.Context()); err != nil {
		return err
	}
	if err := s.world.Project(s.project()); err != nil {
		return fault.New(fault.Usage, fmt.Errorf("rehearsing %q: %w", dir, err))
	}
	a.ui.note("%d addresses and commits of the spec were replaced by those of stand-ins", replaced(s.world.Replacements()))
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VARIANT\tLAYERS\tSIZE\tBUILT\tREADY\tJOB")
	for _, variant := range o.variants {
		if err := s.variant(t, w, variant); err != nil {
			return fmt.Errorf("rehearsing %s: %w", variant, err)
		}
	}
	return errors.Join(w.Flush(), a.ui.result(table.String()))
}

// place is the folder for what is made: the one to be kept, else a temporary one.
func (o rehearseOptions) place(t testing.TB) (string, error) {
	t.Helper()
	if o.keep == "" {
		return t.TempDir(), nil
	}
	entries, err := os.ReadDir(o.keep)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		return "", fault.New(fault.Usage, errors.Join(err, fmt.Errorf("flag --keep: folder %q is not an empty one", o.keep)))
	}
	return o.keep, os.MkdirAll(o.keep, 0o755) //nolint:gosec // the user names the path
}

func replaced(list []rehearsal.Replacement) (n int) {
	for _, r := range list {
		n += r.Times
	}
	return n
}

// openWorld starts the stand-ins for what the spec in a folder asks for.
func (a *app) openWorld(t testing.TB, o rehearseOptions, dir string) (*rehearsal.World, error) {
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
	}), nil
}

func (a *app) findRunc(ctx context.Context) (string, error) {
	o, err := a.engineOptions("", engine.Need{})
	if err != nil {
		return "", err
	}
	return o.FetchRunc(ctx)
}

func (s stage) project() string { return filepath.Join(s.dir, "project") }

// variant builds one, tries it, and writes a line about it.
func (s stage) variant(t testing.TB, w io.Writer, variant string) error {
	t.Helper()
	s.app.ui.note("rehearsing %s", variant)
	start := time.Now()
	if err := s.build(t.Context(), variant); err != nil {
		return err
	}
	built := time.Since(start)
	image, trial, err := s.try(t, variant)
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
func (s stage) try(t testing.TB, variant string) (image layout.Image, trial rehearsal.Trial, err error) {
	t.Helper()
	ctx := t.Context()
	l, err := layout.Open(ctx, s.images())
	if err != nil {
		return image, trial, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if image, err = l.Read(ctx, variant); err != nil {
		return image, trial, err
	}
	m, err := container.New(ctx, s.runc, l, image, t.TempDir())
	if err != nil {
		return image, trial, err
	}
	s.app.ui.note("starting %s", variant)
	trial, err = s.world.Try(ctx, m, !slices.ContainsFunc(image.Config.History, isWeights))
	return image, trial, err
}

func isWeights(h ocispec.History) bool { return h.CreatedBy == "lamina model" }

func (s stage) images() string { return filepath.Join(s.dir, "images") }

// env is the environment with the world's hub for the real one.
func (s stage) env() func(string) string {
	return func(name string) string {
		for _, kv := range s.world.Env() {
			if key, value, _ := strings.Cut(kv, "="); key == name {
				return value
			}
		}
		return s.app.env(name)
	}
}

// build builds a variant as "build image" does. The small weights aren't left among
// the user's models.
func (s stage) build(ctx context.Context, variant string) (err error) {
	inner := &app{ui: s.app.ui.without(), env: s.env()}
	defer func() { err = errors.Join(err, inner.close()) }()
	models, err := layout.Open(ctx, filepath.Join(s.dir, modelsDir))
	if err != nil {
		return err
	}
	if err := models.Close(); err != nil {
		return err
	}
	return runImage(ctx, inner, []string{
		"--variant", variant, "--progress", s.o.mode.value, "--addr", s.o.addr, "--debian-mirror", s.o.mirror,
		"--models", filepath.Join(s.dir, modelsDir),
		"--output", "type=oci,tar=false,dest=" + s.images(), s.project(),
	})
}
