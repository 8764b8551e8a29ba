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
	specFlag(f, &o.dir)
	f.StringVar(&o.name, "model", "", "the model with this `NAME`, as \"build model ls\" prints it; required if there are several")
}

// withProject returns a command's function, which opens the project of its flags for do.
func (a *app) withProject(o *modelFlags, do func(ctx context.Context, p *lamina.Project, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if o.progress != nil {
			if err := a.ui.Show(o.progress.value); err != nil {
				return err
			}
		}
		if o.mayBeDir && o.dir == "" && len(args) == 1 {
			if _, none := os.Stat(filepath.Join(args[0], lamina.SpecName)); none == nil {
				o.dir, args = args[0], nil
			}
		}
		return a.inSpec(o.dir, lamina.Options{}, func(p *lamina.Project) error { return do(c.Context(), p, args) })
	}
}

func (a *app) modelPush() *cobra.Command {
	var (
		o     modelFlags
		push  lamina.PushOptions
		layer string
	)
	c := &cobra.Command{
		Use:               "push REF [flags]",
		Short:             "stream a model's files to a registry, as layers for images",
		Args:              between(1, 1, "model push requires one reference to push to", "build model push registry.example/weights:1"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) (err error) {
			if push.MaxLayer, err = parseSize(layer); err != nil {
				return fmt.Errorf("flag --max-layer: %w", err)
			}
			push.Model = o.name
			return result(a, false, report.Published)(p.Push(ctx, args[0], push))
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		insecureFlag(f, &push.Insecure, "the registry")
		f.StringVar(&layer, "max-layer", "", "the registry accepts layers up to this `SIZE`, such as 20GB, instead of its known limit")
		f.BoolVar(&push.NoLimits, "no-limits", false, "don't check the layers against the registry's known limits")
		f.StringArrayVar(&push.MountFrom, "mount-from", nil, "another `REPOSITORY` of the registry that may already have the layers; may be repeated")
		f.BoolVar(&push.ModelPack, "modelpack", false, "also push the same layers as a ModelPack, under the tag with -modelpack appended, for modctl and other model tools")
		o.progress = progressFlag(f)
	})
	return c
}

func (a *app) modelPull() *cobra.Command {
	var o modelFlags
	c := &cobra.Command{
		Use:               "pull [DEST] [flags]",
		Short:             "stream a model's files to a local OCI layout, for builds without a registry",
		Args:              between(0, 1, "model pull accepts at most one directory", ""),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			return result(a, false, report.Pulled)(p.Pull(ctx, o.name, strings.Join(args, "")))
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
		Args:              between(0, 1, "model verify accepts at most one directory: of a spec or of a layout", ""),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			verify.Model, verify.Dir = o.name, strings.Join(args, "")
			verified, err := p.Verify(ctx, verify)
			return errors.Join(a.ui.Result(report.Verified(verified)), err)
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		insecureFlag(f, &verify.Insecure, "the registry")
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
		Args:              between(0, 1, "model ls accepts at most one directory: of a spec or of a layout", ""),
		ValidArgsFunction: oneDir,
		RunE: a.withProject(&o, func(ctx context.Context, p *lamina.Project, args []string) error {
			text := func(list []lamina.ListedModel) string { return report.Models(list, files) }
			return result(a, asJSON, text)(p.Models(ctx, o.name, strings.Join(args, "")))
		}),
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		o.add(f)
		f.BoolVar(&files, "files", false, "also list the files of each layer")
		jsonFlag(f, &asJSON)
	})
	return c
}
