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

// engineJob returns a command about the engine of the options, or our own.
func (a *app) engineJob(use, short string, o *lamina.Options, do func(ctx context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Env, o.Progress = a.env, a.ui
			return do(c.Context())
		},
	}
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
	switch {
	case err != nil:
		return err
	case asJSON:
		return a.ui.resultJSON(st)
	}
	return a.ui.result(report.Engine(st))
}

func (a *app) engineStart() *cobra.Command {
	const short = "start the private engine and keep it up between builds"
	var o lamina.Options
	c := a.engineJob("start [flags]", short, &o, func(ctx context.Context) error {
		if err := lamina.StartEngine(ctx, o); err != nil {
			return err
		}
		return a.tellEngine(ctx, false)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) { engineConfigFlag(f, &o) })
	return c
}

func (a *app) engineStop() *cobra.Command {
	var (
		o     lamina.Options
		force bool
	)
	const short = "stop the private engine; --force stops it while builds run"
	c := a.engineJob("stop [flags]", short, &o, func(ctx context.Context) error {
		ended, err := lamina.StopEngine(ctx, o, force)
		switch {
		case err != nil:
			return err
		case ended:
			a.ui.note("the engine has stopped")
		default:
			a.ui.note("the private engine is not running")
		}
		return nil
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&force, "force", false, "stop it even if builds are running: they fail")
	})
	return c
}

func (a *app) engineStatus() *cobra.Command {
	var asJSON bool
	const short = "report whether the private engine runs, for whom, and its disk usage"
	c := a.engineJob("status [flags]", short, &lamina.Options{}, func(ctx context.Context) error { return a.tellEngine(ctx, asJSON) })
	section(c, "FLAGS", func(f *pflag.FlagSet) { f.BoolVar(&asJSON, "json", false, "print JSON") })
	return c
}

func (a *app) engineDu() *cobra.Command {
	var o lamina.Options
	const short = "list the contents of the engine's cache"
	c := a.engineJob("du [flags]", short, &o, func(ctx context.Context) (err error) {
		e, err := lamina.FindEngine(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		records, err := engine.Du(ctx, e.Client())
		if err != nil {
			return err
		}
		return a.ui.result(report.Cache(records))
	})
	engineFlags(c, &o)
	return c
}

func (a *app) enginePrune() *cobra.Command {
	var (
		o    lamina.Options
		all  bool
		keep string
	)
	const short = "remove unused content from the engine's cache"
	c := a.engineJob("prune [flags]", short, &o, func(ctx context.Context) error {
		size, err := parseSize(keep)
		if err != nil {
			return fmt.Errorf("flag --keep: %w", err)
		}
		freed, records, err := lamina.PruneEngine(ctx, o, size, all)
		if err != nil {
			return err
		}
		return a.ui.result(report.Freed(freed, records))
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&all, "all", false, "also remove what BuildKit keeps for itself")
		f.StringVar(&keep, "keep", "", "keep the most recently used, up to this `SIZE`: 500MB, 20GB")
	})
	engineFlags(c, &o)
	c.Long = `Remove unused content from the engine's cache. This works even on a full disk: the private engine
keeps 64 MB in reserve there, which are freed first and reserved again afterwards.`
	return c
}

func (a *app) engineConfig() *cobra.Command {
	const short = "print the buildkitd.toml of the private engine, which also suits a shared one"
	return a.engineJob("config", short, &lamina.Options{}, func(context.Context) error { return a.ui.result(engine.Config()) })
}

func (a *app) engineLogs() *cobra.Command {
	var o engine.LogOptions
	const short = "print the log of the private engine"
	c := a.engineJob("logs [flags]", short, &lamina.Options{}, func(ctx context.Context) error {
		e, err := a.ownEngine()
		if err != nil {
			return err
		}
		return engine.Logs(ctx, e, &report.ShownWriter{To: a.ui.text()}, o)
	})
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVarP(&o.Follow, "follow", "f", false, "keep printing what the engine logs, until Ctrl-C")
		f.IntVarP(&o.Tail, "tail", "n", 0, "print only the last `N` lines; 0 prints all")
	})
	return c
}
