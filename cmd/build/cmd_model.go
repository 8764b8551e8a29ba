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
		Short: "publish the weights of a spec, or pull them, once for all builds",
		Long: `
Move the weights of a spec's models once, so that no build ever moves them again.

"build model push REF" streams every file from where it was locked to a registry:
nothing is written to disk, whatever the size, and what the registry has is not
sent again. A push that was cut goes on where it was, also in another process.
The lock then says what the layers are and, if image.toml has the repository as the
published = "…" of its [[model]], where: builds merge them into the image without
pulling them.

"build model pull" does the same into an OCI layout, by default one in the cache
directory, which all builds on this machine look into.

Builds look at the names and sizes of what they merge, some kilobytes of each layer.
"build model verify" reads all of it and hashes every file.

A build that finds its models in neither has the engine fetch them.`,
		Example: `
$ build model ls --spec examples/wan
$ HF_TOKEN=… build model push ghcr.io/acme/wan-weights:2.2
$ build model pull weights && build --models weights`,
		Annotations: map[string]string{environment: `
HF_TOKEN      token for the Hugging Face hub; goes to its host alone
HF_ENDPOINT   another hub than https://huggingface.co`},
	}, a.modelPush(), a.modelPull(), a.modelVerify(), a.modelList())
}

// modelFlags are those that every command about models has.
type modelFlags struct {
	name, dir string
	mayBeDir  bool    // the argument may be the directory of the spec
	progress  *choice // nil of a command that moves nothing
}

func (o *modelFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "spec", "", "the `DIR` with the image.toml and its lock, in place of the current one")
	f.StringVar(&o.name, "model", "", "the model with this `NAME`, as \"build model ls\" prints it; needed where there are several")
}

// withProject does what a command does with the project of its flags.
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
		Short: "stream a model's files into a registry, as layers that images are then built on",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			err := failure.New(failure.Usage, errors.New("model push needs one reference: where to"))
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
				what = "was published already"
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
			"push by plain HTTP, or to a registry whose certificate nobody signed")
		f.StringVar(&layer, "max-layer", "",
			"the registry takes layers up to this `SIZE`, whatever is known of it: 20GB")
		f.BoolVar(&push.NoLimits, "no-limits", false, "don't hold the layers against what is known of the registry")
		f.StringArrayVar(&push.MountFrom, "mount-from", nil,
			"another `REPOSITORY` of the registry that may have the layers already; may be repeated")
		f.BoolVar(&push.ModelPack, "modelpack", false,
			"have the tag with -modelpack behind it name the same layers as a ModelPack, for modctl and other tools of models")
		o.progress = progressFlag(f)
	})
	return c
}

func (a *app) modelPull() *cobra.Command {
	var o modelFlags
	c := &cobra.Command{
		Use:               "pull [DIR] [flags]",
		Short:             "stream a model's files into an OCI layout on this machine, for builds without a registry",
		Args:              oneAtMost("model pull takes one directory at most"),
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
		Short:             "read all of the models, where they are published and in a layout, and hash every file",
		Args:              oneAtMost("model verify takes one directory at most: that of a spec or of a layout"),
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
			"read by plain HTTP, or from a registry whose certificate nobody signed")
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
		Short:             "list models, files, sizes and layers, and where they are",
		Args:              oneAtMost("model ls takes one directory at most: that of a spec or of a layout"),
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
		f.BoolVar(&files, "files", false, "list the files of each layer, too")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	})
	return c
}

// oneAtMost is the [cobra.PositionalArgs] of a command that may be given a directory.
func oneAtMost(problem string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return failure.New(failure.Usage, errors.New(problem))
		}
		return nil
	}
}
