package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/engine"
	"lamina.build/internal/report"
)

func (a *app) engineCommand() *cobra.Command {
	return family(&cobra.Command{
		Use:   "engine COMMAND [flags]",
		Short: "manage the engine that builds run on",
		Long: `
Manage the engine, the buildkitd that builds run on.

A build uses the engine of --addr, --builder, BUILDKIT_HOST or BUILDX_BUILDER, else one
that listens on a standard socket, else the private one, which the build starts and which
ends with the last build that uses it; its cache stays. "build engine start" keeps the
private engine up, which saves each build a sixth of a second.`,
		Example: `
$ build engine start
$ build engine status --json
$ build engine prune --keep 20GB
$ build engine logs --tail 50 --follow`,
	}, a.engineStart(), a.engineStop(), a.engineStatus(), a.engineDu(), a.enginePrune(), a.engineLogs(), a.engineConfig())
}

// engineJob returns a command about an engine, and the options that its flags set.
func (a *app) engineJob(use, short string, do func(ctx context.Context, o lamina.Options) error) (*cobra.Command, *lamina.Options) {
	var o lamina.Options
	return &cobra.Command{
		Use: use, Short: short, Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Env, o.Progress = a.env, a.ui
			return do(c.Context(), o)
		},
	}, &o
}

// ownEngine returns the options for looking at our own engine.
func (a *app) ownEngine() (engine.Options, error) {
	dir, err := lamina.Options{Env: a.env}.CacheRoot()
	return engine.Options{CacheDir: dir, Env: a.env}, err
}

// tellEngine prints the status of our own engine.
func (a *app) tellEngine(ctx context.Context, asJSON bool) error {
	e, err := a.ownEngine()
	if err != nil {
		return err
	}
	st, err := engine.StatusOf(e)
	if err == nil {
		st.Instead, err = engine.Others(ctx, e)
	}
	return result(a, asJSON, report.Engine)(st, err)
}

func (a *app) engineStart() *cobra.Command {
	c, o := a.engineJob("start [flags]", "start the private engine and keep it up between builds", func(ctx context.Context, o lamina.Options) error {
		if err := lamina.StartEngine(ctx, o); err != nil {
			return err
		}
		return a.tellEngine(ctx, false)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) { engineConfigFlag(f, o) })
	return c
}

func (a *app) engineStop() *cobra.Command {
	var force bool
	c, _ := a.engineJob("stop [flags]", "stop the private engine; --force stops it while builds run", func(ctx context.Context, o lamina.Options) error {
		ended, err := lamina.StopEngine(ctx, o, force)
		if err == nil {
			a.ui.Note(map[bool]string{true: "the engine has stopped", false: "the private engine is not running"}[ended])
		}
		return err
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&force, "force", false, "stop it even if builds are running: they fail")
	})
	return c
}

func (a *app) engineStatus() *cobra.Command {
	var asJSON bool
	c, _ := a.engineJob("status [flags]", "report whether the private engine runs, for whom, and its disk usage", func(ctx context.Context, _ lamina.Options) error {
		return a.tellEngine(ctx, asJSON)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) { jsonFlag(f, &asJSON) })
	return c
}

func (a *app) engineDu() *cobra.Command {
	c, o := a.engineJob("du [flags]", "list the contents of the engine's cache", func(ctx context.Context, o lamina.Options) (err error) {
		e, err := lamina.FindEngine(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		return result(a, false, report.Cache)(engine.Du(ctx, e.Client()))
	})
	engineFlags(c, o)
	return c
}

func (a *app) enginePrune() *cobra.Command {
	var all bool
	var keep string
	c, o := a.engineJob("prune [flags]", "remove unused content from the engine's cache", func(ctx context.Context, o lamina.Options) error {
		size, err := parseSize(keep)
		if err != nil {
			return fmt.Errorf("flag --keep: %w", err)
		}
		freed, records, err := lamina.PruneEngine(ctx, o, size, all)
		return a.print(report.Freed(freed, records), err)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&all, "all", false, "also remove what BuildKit keeps for itself")
		f.StringVar(&keep, "keep", "", "keep the most recently used, up to this `SIZE`: 500MB, 20GB")
	})
	engineFlags(c, o)
	c.Long = `Remove unused content from the engine's cache. This works even on a full disk: the private engine
keeps 64 MB in reserve there, which are freed first and reserved again afterwards.`
	return c
}

func (a *app) engineConfig() *cobra.Command {
	c, _ := a.engineJob("config", "print the buildkitd.toml of the private engine, which also suits a shared one", func(context.Context, lamina.Options) error {
		return a.ui.Result(engine.Config())
	})
	return c
}

func (a *app) engineLogs() *cobra.Command {
	var logs engine.LogOptions
	c, _ := a.engineJob("logs [flags]", "print the log of the private engine", func(ctx context.Context, _ lamina.Options) error {
		e, err := a.ownEngine()
		if err != nil {
			return err
		}
		return engine.Logs(ctx, e, &report.ShownWriter{To: a.ui.Text()}, logs)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVarP(&logs.Follow, "follow", "f", false, "keep printing what the engine logs, until Ctrl-C")
		f.IntVarP(&logs.Tail, "tail", "n", 0, "print only the last `N` lines; 0 prints all")
	})
	return c
}
