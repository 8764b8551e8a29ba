package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

// lockFlags are the flags of "build lock" as they were given.
type lockFlags struct {
	options lamina.Options
	upgrade lamina.Upgrade
	check   bool
	export  string
	variant string

	unpublish bool
}

func (o *lockFlags) add(c *cobra.Command) {
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&o.check, "check", false,
			"only compare the lock with its spec: exit 3 where they differ, and change nothing")
		f.StringVar(&o.export, "export", "",
			"write the Python distributions of the lock to this `FILE`, a pylock.toml (PEP 751), or - for standard output; "+
				"a lock that fits its spec is not renewed for that")
		f.BoolVar(&o.upgrade.All, "upgrade", false,
			"take the newest versions of Python packages that the spec allows; those of the lock stay otherwise")
		f.StringArrayVar(&o.upgrade.Packages, "upgrade-package", nil,
			"take the newest version of this Python package, `NAME`; may be repeated")
		f.BoolVar(&o.unpublish, "unpublish", false,
			"have the lock forget where models are published, and their layers: builds make them from what was locked")
		f.StringVar(&o.variant, "variant", lamina.Production, "export those of this `VARIANT`")
		sourceFlags(f, &o.options)
		f.BoolVar(&o.options.Offline, "offline", false, "have --check and --export ask nobody on the network")
	})
	engineFlags(c, &o.options)
}

func (a *app) lockCommand() *cobra.Command {
	var o lockFlags
	c := &cobra.Command{
		Use:   "lock [DIR] [flags]",
		Short: "find the packages for a spec and write image.lock",
		Long: `
Find the newest packages that answer the spec in DIR, or in the current directory,
and write them to image.lock next to it: every package by version, size and
sha256. What it changes is printed, or of a first lock what it holds.

The indexes are verified against the archive's keys. apt itself solves the
dependencies, on the engine and with its network off. uv resolves Python
requirements, with its network off but for the indexes that the spec names: every
wheel and sdist is locked by sha256, with what each sdist is built with. Python
packages keep the versions that they have in the lock, unless the spec no longer
allows them or --upgrade says otherwise.

Logins for package indexes come from variables that requirement files name
(https://me:${TOKEN}@host/simple), from those of uv, the configuration of uv and pip,
~/.netrc, or a keyring that they name. The lock holds none, and needs none
to be checked, or built from where nothing has to be fetched. Whoever wrote a lock
may have named any file: it is held against the spec, and what it has from an index
that nobody names is asked for at those that are named.`,
		Example: `
$ build lock examples/faceblend
$ build lock --check || echo "image.toml has changed"
$ build lock --debian-mirror https://mirror.example/debian
$ build lock --export pylock.toml`,
		ValidArgsFunction: oneDir,
		RunE:              func(c *cobra.Command, args []string) error { return a.lock(c.Context(), o, args) },
	}
	o.add(c)
	return c
}

func (a *app) lock(ctx context.Context, o lockFlags, args []string) (err error) {
	dir, err := a.findDir(args)
	if err != nil {
		return err
	}
	p, err := a.open(dir, o.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	switch {
	case o.check && o.export != "", o.unpublish && (o.check || o.export != ""):
		return failure.New(failure.Usage, errors.New("flags --check, --export and --unpublish: one of them at a time"))
	case (o.check || o.export != "" || o.unpublish) && (o.upgrade.All || len(o.upgrade.Packages) > 0):
		return failure.New(failure.Usage, errors.New("flags --upgrade and --upgrade-package resolve anew, which --check, --export and --unpublish don't"))
	case o.check:
		return a.checkLock(ctx, p)
	case o.unpublish:
		return a.unpublish(p)
	case o.export != "":
		return a.exportLock(ctx, p, o)
	}
	diff, err := relock(ctx, p, o.upgrade)
	if err != nil {
		return err
	}
	return a.ui.result(diff)
}

// relock locks anew, and tells what that changed, or, of a first lock, what it holds.
func relock(ctx context.Context, p *lamina.Project, up lamina.Upgrade) (string, error) {
	after, before, err := p.Lock(ctx, up)
	if err != nil {
		return "", err
	}
	if before.Platform == "" {
		return lamina.Summary(after), nil
	}
	return lamina.Changes(before, after), nil
}

// exportLock writes the lock for other installers, from the lock that there is
// or, where there is none, from a new one.
func (a *app) exportLock(ctx context.Context, p *lamina.Project, o lockFlags) error {
	text, err := p.Pylock(ctx, o.variant, o.export)
	if err != nil {
		return err
	}
	if o.export == "-" {
		return a.ui.result(string(text))
	}
	if err := atomicfile.Write(o.export, text, 0o644); err != nil {
		return fmt.Errorf("exporting %s: %w", p.LockPath(), err)
	}
	return a.ui.result(report.Written(o.export, strings.Count(string(text), "[[packages]]"), "package"))
}

func (a *app) unpublish(p *lamina.Project) error {
	places, err := p.Unpublish()
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return a.ui.result("no model was published\n")
	}
	return a.ui.result("forgotten: " + strings.Join(places, ", ") + "\n")
}

func (a *app) checkLock(ctx context.Context, p *lamina.Project) error {
	l, ok, err := p.ReadLock()
	switch {
	case err != nil:
		return err
	case !ok:
		err := failure.New(failure.Findings, fmt.Errorf("%s does not exist", p.LockPath()))
		return failure.WithHint(err, fmt.Sprintf("\"build lock %s\" writes it", p.Dir()))
	}
	if err := p.CheckLock(l); err != nil {
		return err
	}
	if err := p.ConfirmLock(ctx, l); err != nil {
		return err
	}
	a.ui.note("%s fits its spec", p.LockPath())
	return nil
}
