// Command rehearsal builds the example wan22-animate, or your variation of it,
// against stand-ins for the internet on this machine: package indexes with every
// distribution of its closure, git repositories and a hub, with the real names,
// versions and dependencies and a thousandth of the bytes. Then it starts each image
// under runc, waits until it is ready and runs a job in it.
//
//	go run ./examples/wan22-animate/rehearsal [--variant NAMES] [--keep DIR] [DIR]
//
// The spec is the shipped one except for addresses and the two git commits. A rehearsal
// takes minutes where the real build takes an hour, and proves all but what the
// stand-ins can't: that the real files are there, and what a GPU does. Debian's
// packages are the real ones. Only root can start containers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/pflag"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine/runc"
	"lamina.build/internal/humanize"
	"lamina.build/internal/layout"
	"lamina.build/internal/test/container"
	"lamina.build/internal/test/testworld"
)

func main() {
	r := rehearsal{out: os.Stdout}
	pflag.StringSliceVar(&r.variants, "variant", []string{"production", "minimal", "debug"}, "rehearse these `VARIANTS`")
	pflag.StringVar(&r.keep, "keep", "", "write the rehearsed project and the images to `DIR`, which must not exist")
	pflag.Parse()
	r.example = pflag.Arg(0)
	if r.example == "" {
		r.example = filepath.Join("examples", "wan22-animate")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal: error:", err)
		os.Exit(1)
	}
}

// rehearsal is a rehearsal in progress.
type rehearsal struct {
	example  string // directory of the spec
	variants []string
	keep     string
	out      io.Writer
	world    *world.World // nil for a new one
	cache    string       // XDG_CACHE_HOME; the user's own if empty
	env      []string     // of the builds, on top of the process's own

	dir   string // for the project and the images
	build string // the command
	runc  string
}

func (r *rehearsal) run(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("only root can start containers with the user of an image")
	}
	if err = world.Check(os.DirFS(r.example)); err != nil {
		return fmt.Errorf("%w: a rehearsal is for the example wan22-animate, and for variations of it", err)
	}
	if r.cache == "" {
		if r.cache, err = os.UserCacheDir(); err != nil {
			return err
		}
	}
	cache := filepath.Join(r.cache, "lamina")
	mirrors, err := debian.ParseMirrors(os.Getenv("LAMINA_DEBIAN_MIRROR"))
	if err != nil {
		return err
	}
	getter := debian.NewGetter(filepath.Join(cache, "files"))
	mirrors = debian.Merge(mirrors, debian.HostMirrors(os.DirFS("/")), debian.Snapshot(time.Now()))
	r.runc, err = runc.Fetch(ctx, runc.Options{Mirrors: mirrors, CacheDir: cache, Arch: runtime.GOARCH, Getter: getter})
	if err != nil {
		return err
	}
	room, err := container.OpenRoom(filepath.Join(cache, "rehearsal"), func() (string, error) { return r.runc, nil })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, room.Close()) }()
	r.build = filepath.Join(room.Name(), "build")
	if err = command(ctx, "go", "build", "-o", r.build, "lamina.build/cmd/build").Run(); err != nil {
		return fmt.Errorf("compiling the command: %w", err)
	}
	return testworld.During(ctx, room.Name(), func(t testing.TB) error {
		if r.world == nil {
			r.world = world.New(t, world.Options{Example: os.DirFS(r.example), Getter: getter, Mirrors: mirrors})
		}
		if r.dir = r.keep; r.dir == "" {
			r.dir = t.TempDir()
		} else if err := os.Mkdir(r.dir, 0o755); err != nil { //nolint:gosec // the user names it
			return err
		}
		return r.all(t)
	})
}

// all rehearses the variants, one after the other.
func (r *rehearsal) all(t testing.TB) error {
	t.Helper()
	if err := r.world.Project(r.project()); err != nil {
		return err
	}
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIANT\tLAYERS\tSIZE\tBUILT\tREADY\tJOB")
	for _, variant := range r.variants {
		line, err := r.variant(t, variant)
		if err != nil {
			return fmt.Errorf("rehearsing %s: %w", variant, err)
		}
		fmt.Fprintln(table, line)
	}
	return table.Flush()
}

func (r *rehearsal) project() string { return filepath.Join(r.dir, "project") }

// variant builds a variant, tries it, and returns its line of the table.
func (r *rehearsal) variant(t testing.TB, variant string) (line string, err error) {
	t.Helper()
	ctx, start, images := t.Context(), time.Now(), filepath.Join(r.dir, "images")
	// Keep the small weights out of the user's models.
	models := filepath.Join(r.dir, "models")
	l, err := layout.Open(ctx, models)
	if err != nil {
		return "", err
	}
	if err = l.Close(); err != nil {
		return "", err
	}
	build := command(ctx, r.build, "--variant", variant, "--models", models, "--output", "type=oci,tar=false,dest="+images, r.project())
	build.Env = slices.Concat(os.Environ(), r.world.Env(), r.env)
	if err = build.Run(); err != nil {
		return "", err
	}
	built := time.Since(start)
	if l, err = layout.Open(ctx, images); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	image, err := l.Read(ctx, variant)
	if err != nil {
		return "", err
	}
	m, err := container.New(ctx, r.runc, l, image, t.TempDir())
	if err != nil {
		return "", err
	}
	did, err := r.world.Try(ctx, m, !slices.ContainsFunc(image.Config.History, isWeights))
	var size int64
	for _, d := range image.Layers() {
		size += d.Size
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s: %g s of film, %dx%d, with sound", variant, len(image.Layers()), humanize.Size(size),
		humanize.Duration(built), humanize.Duration(did.Ready), humanize.Duration(did.Job), did.Film.Seconds, did.Film.Width, did.Film.Height), err
}

func isWeights(h ocispec.History) bool { return h.CreatedBy == "lamina model" }

// command returns a program whose output is shown, apart from the result.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // our own
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}
