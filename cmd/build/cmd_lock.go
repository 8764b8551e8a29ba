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

// lockFlags are the flags of "build lock" as given.
type lockFlags struct {
	options   lamina.Options
	upgrade   lamina.Upgrade
	check     bool
	export    string
	variant   string
	on        string // the platform to export
	unpublish bool
}

func (o *lockFlags) add(c *cobra.Command) {
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&o.check, "check", false, "only compare the lock with its spec, change nothing, and exit with 3 if they differ")
		f.StringVar(&o.export, "export", "", "write the Python distributions of the lock to this `FILE`, a pylock.toml (PEP 751), or - for standard output, without updating a lock that fits its spec")
		f.BoolVar(&o.upgrade.All, "upgrade", false, "upgrade Python packages to the newest versions that the spec allows; by default, locked versions stay")
		f.StringArrayVar(&o.upgrade.Packages, "upgrade-package", nil, "upgrade the Python package with this `NAME`; may be repeated")
		f.BoolVar(&o.unpublish, "unpublish", false, "remove published models and their layers from the lock: builds make them from the locked files")
		f.StringVar(&o.variant, "variant", lamina.Production, "the `VARIANT` to --export")
		f.StringVar(&o.on, "platform", "", "the `PLATFORM` to --export; by default the first of the spec")
		sourceFlags(f, &o.options)
		f.BoolVar(&o.options.Offline, "offline", false, "use no network for --check and --export")
	})
	engineFlags(c, &o.options)
}

func (a *app) lockCommand() *cobra.Command {
	var o lockFlags
	c := &cobra.Command{
		Use:   "lock [DIR] [flags]",
		Short: "find the packages for a spec and write image.lock",
		Long: `
Find the packages that satisfy the spec in DIR, or in the current directory, and write
them to image.lock next to it: every package by version, size and sha256. Print the
changes, or the content of a first lock.

The package indexes are verified with the archive's keys. apt itself resolves the
dependencies, on the engine with its network off. uv resolves Python requirements with
access only to the indexes that the spec names: every wheel and sdist is locked by
sha256, with the build requirements of each sdist. Debian packages become the newest;
Python packages keep their locked versions unless the spec no longer allows them or
--upgrade is given.

Logins for package indexes come from variables that requirement files name
(https://me:${TOKEN}@host/simple), uv's own variables, the configuration of uv and pip,
~/.netrc, or a keyring that these name. The lock holds no login; checking it, or
building from it with nothing to fetch, requires none. A lock by somebody else may name
any file: it is compared with the spec, and its files from indexes that are not
configured are looked up in those that are.`,
		Example: `
$ build lock examples/faceblend
$ build lock --check || echo "image.toml has changed"
$ build lock --debian-mirror https://mirror.example/debian
$ build lock --export pylock.toml`,
		ValidArgsFunction: oneDir,
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.findDir(args)
			if err != nil {
				return err
			}
			return a.in(dir, o.options, func(p *lamina.Project) error { return a.lock(c.Context(), p, o) })
		},
	}
	o.add(c)
	return c
}

func (a *app) lock(ctx context.Context, p *lamina.Project, o lockFlags) error {
	switch {
	case o.check && o.export != "", o.unpublish && (o.check || o.export != ""):
		return failure.New(failure.Usage, errors.New("flags --check, --export and --unpublish exclude each other"))
	case (o.check || o.export != "" || o.unpublish) && (o.upgrade.All || len(o.upgrade.Packages) > 0):
		return failure.New(failure.Usage, errors.New("flags --upgrade and --upgrade-package resolve again, which --check, --export and --unpublish don't"))
	case o.on != "" && o.export == "":
		return failure.New(failure.Usage, errors.New("flag --platform belongs to --export: a lock has every platform of its spec"))
	case o.check:
		return a.checkLock(ctx, p)
	case o.unpublish:
		return result(a, false, report.Unpublished)(p.Unpublish())
	case o.export != "":
		return a.exportLock(ctx, p, o)
	}
	return a.print(relock(ctx, p, o.upgrade))
}

// relock locks again and returns the changes, or the content of a first lock.
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

// exportLock writes the lock for other installers, from the existing lock or a new
// one.
func (a *app) exportLock(ctx context.Context, p *lamina.Project, o lockFlags) error {
	if o.export != "-" {
		if err := checkFile("export", o.export); err != nil {
			return err
		}
	}
	text, err := p.Pylock(ctx, o.variant, o.on, o.export)
	if err != nil {
		return err
	}
	if o.export == "-" {
		return a.ui.Result(string(text))
	}
	if err := atomicfile.Write(o.export, text, 0o644); err != nil {
		return fmt.Errorf("exporting %s: %w", p.LockPath(), err)
	}
	return a.ui.Result(report.Written(o.export, strings.Count(string(text), "[[packages]]"), "package"))
}

func (a *app) checkLock(ctx context.Context, p *lamina.Project) error {
	l, ok, err := p.ReadLock()
	if err == nil && !ok {
		err = failure.New(failure.Findings, fmt.Errorf("%s does not exist", p.LockPath()))
		err = failure.WithHint(err, fmt.Sprintf("run \"build lock %s\" to write it", p.Dir()))
	}
	if err == nil {
		err = p.CheckLock(l)
	}
	if err == nil {
		err = p.ConfirmLock(ctx, l)
	}
	if err != nil {
		return err
	}
	a.ui.Notef("%s fits its spec", p.LockPath())
	return nil
}
