package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"lamina.build"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

// engineOptions are the flags of all engine commands; each lists those it has.
type engineOptions struct {
	engineFlags
	json   bool
	force  bool
	all    bool
	follow bool
	keep   string
	tail   int
}

// engineCommand is one word that may follow "build engine".
type engineCommand struct {
	name     string
	synopsis string
	flags    func(o *engineOptions) []flagGroup
	run      func(ctx context.Context, a *app, o engineOptions, e engine.Options) error
}

func engineCommands() []engineCommand {
	return []engineCommand{
		{"start", "start an engine of our own and keep it up between builds", noFlags, startEngine},
		{"stop", "stop it; while builds run only with --force", stopFlags, stopEngine},
		{"status", "say whether it runs, for whom, and what it occupies", jsonFlags, engineStatus},
		{"du", "list what the engine's cache holds", duFlags, engineDu},
		{"prune", "remove from the engine's cache what no build uses", pruneFlags, enginePrune},
		{"logs", "print the log of our own engine", logFlags, engineLogs},
	}
}

func noFlags(*engineOptions) []flagGroup { return nil }

func stopFlags(o *engineOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF STOP", func(f *pflag.FlagSet) {
		f.BoolVar(&o.force, "force", false, "stop it although builds are running: they fail")
	})}
}

func jsonFlags(o *engineOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF STATUS", func(f *pflag.FlagSet) {
		f.BoolVar(&o.json, "json", false, "print JSON")
	})}
}

func duFlags(o *engineOptions) []flagGroup {
	return []flagGroup{o.group()}
}

func pruneFlags(o *engineOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF PRUNE", func(f *pflag.FlagSet) {
		f.BoolVar(&o.all, "all", false, "remove what BuildKit keeps for itself, too")
		f.StringVar(&o.keep, "keep", "", "leave the most recently used, up to this `SIZE`: 500MB, 20GB")
	}), o.group()}
}

func logFlags(o *engineOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF LOGS", func(f *pflag.FlagSet) {
		f.BoolVarP(&o.follow, "follow", "f", false, "go on with what the engine writes, until Ctrl-C")
		f.IntVarP(&o.tail, "tail", "n", 0, "only the last `N` lines; 0 prints all")
	})}
}

func engineHelp() string {
	all := engineCommands()
	rows := make([][2]string, 0, len(all))
	var groups []flagGroup
	for _, c := range all {
		rows = append(rows, [2]string{c.name, c.synopsis})
		for _, g := range c.flags(&engineOptions{}) {
			if g.title != "ENGINE FLAGS" {
				groups = append(groups, g)
			}
		}
	}
	groups = append(groups, group("FLAGS OF DU AND PRUNE", func(f *pflag.FlagSet) {
		f.AddFlagSet((&engineFlags{}).group().FlagSet)
	}))
	return page{
		about: `
Look after the engine, the buildkitd that builds run on.

A build takes the engine of --addr or BUILDKIT_HOST, else one that listens on a
standard socket, else one of our own, which it starts and which ends with the
last build that uses it. What it has cached stays. "build engine start" keeps
our own engine up, which saves its start, a third of a second, at each build.`,
		usage:    []string{"build engine COMMAND [flags]"},
		commands: rows,
		groups:   groups,
		examples: `
$ build engine start
$ build engine status --json
$ build engine prune --keep 20GB
$ build engine logs --tail 50 --follow`,
		more: learnMore(),
	}.String()
}

func (c engineCommand) word() string { return c.name }

func runEngine(ctx context.Context, a *app, args []string) error {
	c, err := member("engine", engineCommands(), args)
	if err != nil {
		return err
	}
	return a.runEngineCommand(ctx, c, args[1:])
}

func (a *app) runEngineCommand(ctx context.Context, c engineCommand, args []string) error {
	var o engineOptions
	rest, err := parse(c.flags(&o), args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return failure.New(failure.Usage, fmt.Errorf("engine %s takes no %q", c.name, rest[0]))
	}
	e, err := lamina.Options{Env: a.env, Progress: a.ui, Engine: o.addr}.EngineOptions()
	if err != nil {
		return err
	}
	return c.run(ctx, a, o, e)
}

func startEngine(ctx context.Context, a *app, _ engineOptions, e engine.Options) error {
	st, err := engine.Start(ctx, e)
	if err != nil {
		return err
	}
	return a.ui.result(statusText(st))
}

func stopEngine(ctx context.Context, a *app, o engineOptions, e engine.Options) error {
	ended, err := engine.Stop(ctx, e, o.force)
	if err != nil {
		return err
	}
	if ended {
		a.ui.note("the engine has ended")
	} else {
		a.ui.note("no engine of our own is running")
	}
	return nil
}

func engineLogs(ctx context.Context, a *app, o engineOptions, e engine.Options) error {
	return engine.Logs(ctx, e, a.ui.stdout, engine.LogOptions{Tail: o.tail, Follow: o.follow})
}
