package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func (a *app) modelCommand() *cobra.Command {
	return family(&cobra.Command{
		Use:   "model COMMAND [flags]",
		Short: "publish or pull the weights of a spec, once for all builds",
		Long: `
Transfer the weights of a spec's models once, so that no build transfers them again.

"build model push REF" streams every file from its locked source to a registry. It writes
nothing to disk, whatever the size, skips what the registry has, and resumes an
interrupted push, even in another process. The lock then records the layers and, if
image.toml names the repository in the published = "…" of its [[model]], where they are:
builds merge them into the image without pulling them.

"build model pull" does the same into an OCI layout, by default one in the cache
directory, which all builds on this machine search.

Builds check the names and sizes in the layers that they merge, some kilobytes of each.
"build model verify" reads them all and hashes every file.

If a model is in neither place, a build has the engine fetch it.`,
		Example: `
$ build model ls --spec examples/wan
$ HF_TOKEN=… build model push ghcr.io/acme/wan-weights:2.2
$ build model pull weights && build --models weights`,
		Annotations: map[string]string{environment: `
HF_TOKEN      token for the Hugging Face hub, sent to its host only
HF_ENDPOINT   hub in place of https://huggingface.co`},
	}, a.modelPush(), a.modelPull(), a.modelVerify(), a.modelList())
}

// modelFlags are the flags of every command about models.
type modelFlags struct {
	name, dir string
	mayBeDir  bool    // the argument may be the directory of the spec
	progress  *choice // nil for a command that transfers nothing
}

func (o *modelFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "spec", "", "use the image.toml and lock in this `DIR` (default: the current directory)")
	f.StringVar(&o.name, "model", "", "the model with this `NAME`, as \"build model ls\" prints it; required if there are several")
}

// withProject returns a command's function, which opens the project of its flags for do.
func (a *app) withProject(o *modelFlags, do func(ctx context.Context, p *lamina.Project, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) (err error) {
		if o.progress != nil {
			a.ui.show(o.progress.value)
		}
		if err = a.ui.checkProgress(); err != nil {
			return err
		}
		if o.mayBeDir && o.dir == "" && len(args) == 1 {
			if _, none := os.Stat(filepath.Join(args[0], lamina.SpecName)); none == nil {
				o.dir, args = args[0], nil
			}
		}
		var dirs []string
		if o.dir != "" {
			dirs = []string{o.dir}
		}
		dir, err := a.findDir(dirs)
		if err != nil {
			return err
		}
		p, err := a.open(dir, lamina.Options{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		return do(c.Context(), p, args)
	}
}

func (a *app) modelPush() *cobra.Command {
	var (
		o     modelFlags
		push  lamina.PushOptions
		layer string
	)
	c := &cobra.Command{
		Use:   "push REF [flags]",
		Short: "stream a model's files to a registry, as layers for images",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			err := failure.New(failure.Usage, errors.New("model push requires one reference to push to"))
			return failure.WithHint(err, "build model push registry.example/weights:1")
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) (err error) {
			if push.MaxLayer, err = parseSize(layer); err != nil {
				return fmt.Errorf("flag --max-layer: %w", err)
			}
			push.Model = o.name
			moved, err := p.Push(ctx, args[0], push)
			if err != nil {
				return err
			}
			what := "published"
			if moved.Unchanged {
				what = "was already published"
			}
			text := fmt.Sprintf("%s %s: %s\n%s\n", moved.Model.Name(), what, report.Moved(moved), moved.Reference)
			if moved.ModelPack != "" {
				text += moved.ModelPack + "\n"
			}
			return a.ui.result(text)
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		f.BoolVar(&push.Insecure, "insecure-registry", false,
			"allow plain HTTP and untrusted certificates for the registry")
		f.StringVar(&layer, "max-layer", "",
			"the registry accepts layers up to this `SIZE`, such as 20GB, instead of its known limit")
		f.BoolVar(&push.NoLimits, "no-limits", false, "don't check the layers against the registry's known limits")
		f.StringArrayVar(&push.MountFrom, "mount-from", nil,
			"another `REPOSITORY` of the registry that may already have the layers; may be repeated")
		f.BoolVar(&push.ModelPack, "modelpack", false,
			"also push the same layers as a ModelPack, under the tag with -modelpack appended, for modctl and other model tools")
		o.progress = progressFlag(f)
	})
	return c
}

func (a *app) modelPull() *cobra.Command {
	var o modelFlags
	c := &cobra.Command{
		Use:               "pull [DEST] [flags]",
		Short:             "stream a model's files to a local OCI layout, for builds without a registry",
		Args:              oneAtMost("model pull accepts at most one directory"),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			moved, err := p.Pull(ctx, o.name, strings.Join(args, ""))
			if err != nil {
				return err
			}
			return a.ui.result(fmt.Sprintf("%s in %s: %s\n%s\n", moved.Model.Name(), moved.Dir, report.Moved(moved), moved.Manifest))
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		o.progress = progressFlag(f)
	})
	return c
}

func (a *app) modelVerify() *cobra.Command {
	var (
		o      = modelFlags{mayBeDir: true}
		verify lamina.VerifyOptions
	)
	c := &cobra.Command{
		Use:               "verify [DIR] [flags]",
		Short:             "read the models completely, in the registry and a layout, and hash every file",
		Args:              oneAtMost("model verify accepts at most one directory: of a spec or of a layout"),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			verify.Model, verify.Dir = o.name, strings.Join(args, "")
			verified, err := p.Verify(ctx, verify)
			return errors.Join(a.ui.result(report.Verified(verified)), err)
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		f.BoolVar(&verify.Insecure, "insecure-registry", false,
			"allow plain HTTP and untrusted certificates for the registry")
		o.progress = progressFlag(f)
	})
	return c
}

func (a *app) modelList() *cobra.Command {
	var (
		o             = modelFlags{mayBeDir: true}
		files, asJSON bool
	)
	c := &cobra.Command{
		Use:               "ls [DIR] [flags]",
		Short:             "list models with their files, sizes, layers and locations",
		Args:              oneAtMost("model ls accepts at most one directory: of a spec or of a layout"),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			list, err := p.Models(ctx, o.name, strings.Join(args, ""))
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.ui.resultJSON(list)
			}
			return a.ui.result(report.Models(list, files))
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		f.BoolVar(&files, "files", false, "also list the files of each layer")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	})
	return c
}

// oneAtMost is the [cobra.PositionalArgs] of a command that accepts a directory.
func oneAtMost(problem string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return failure.New(failure.Usage, errors.New(problem))
		}
		return nil
	}
}
