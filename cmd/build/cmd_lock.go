package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/fault"
	"lamina.build/internal/python"
	"lamina.build/internal/report"
	"lamina.build/internal/requirements"
	"lamina.build/internal/spec"
	"lamina.build/lock"
)

// lockOptions are what resolving needs to know.
type lockOptions struct {
	sourceFlags
	engineFlags
	upgrade upgradeFlags

	indexes python.Indexes
	chosen  bool                          // the default one is named by the user
	logins  map[string]requirements.Login // of the addresses of indexes
	from    string                        // which indexes these are, as it is told
}

// upgradeFlags say which Python packages don't keep their versions.
type upgradeFlags struct {
	all      bool
	packages []string
}

func (u *upgradeFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&u.all, "upgrade", false, "take the newest versions of Python packages that the spec allows; those of the lock stay otherwise")
	f.StringArrayVar(&u.packages, "upgrade-package", nil, "take the newest version of this Python package, `NAME`; may be repeated")
}

func (u upgradeFlags) python() python.Upgrade {
	names := make([]string, len(u.packages))
	for i, name := range u.packages {
		names[i] = requirements.Normal(name)
	}
	return python.Upgrade{All: u.all, Projects: names}
}

// lockFlags are the flags of "build lock" as they were given.
type lockFlags struct {
	lockOptions
	check   bool
	export  string
	variant string
}

func (o *lockFlags) groups() []flagGroup {
	return []flagGroup{group("FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&o.check, "check", false,
			"only compare the lock with its spec: exit 3 where they differ, and change nothing")
		f.StringVar(&o.export, "export", "",
			"write the Python distributions of the lock to this `FILE`, a pylock.toml (PEP 751), or - for standard output; "+
				"a lock that fits its spec is not renewed for that")
		o.upgrade.add(f)
		f.StringVar(&o.variant, "variant", spec.Production, "export those of this `VARIANT`")
		o.addSource(f)
	}), o.group()}
}

func lockHelp() string {
	var o lockFlags
	return page{
		about: `
Find the newest packages that answer the spec in DIR, or in the current folder,
and write them to image.lock beside it: every package by version, size and
sha256. What it changes is printed, or of a first lock what it holds.

The indexes are verified against the archive's keys. apt itself solves the
dependencies, on the engine and with its network off. uv resolves Python
requirements, with its network off but for the indexes that the spec names: every
wheel and sdist is locked by sha256, with what each sdist is built with. Python
packages keep the versions that they have in the lock, unless the spec no longer
allows them or --upgrade says otherwise.

Logins for package indexes come from ~/.netrc, or from variables that requirement
files name (https://me:${TOKEN}@host/simple). The lock holds none, and needs none
to be checked, or built from where nothing has to be fetched.`,
		usage:  []string{"build lock [DIR] [flags]"},
		groups: o.groups(),
		examples: `
$ build lock examples/faceblend
$ build lock --check || echo "image.toml has changed"
$ build lock --debian-mirror https://mirror.example/debian
$ build lock --export pylock.toml`,
		more: learnMore(),
	}.String()
}

func runLock(ctx context.Context, a *app, args []string) (err error) {
	var o lockFlags
	rest, err := parse(o.groups(), args)
	if err != nil {
		return err
	}
	dir, err := a.findDir(rest)
	if err != nil {
		return err
	}
	p, err := a.openProject(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	switch {
	case o.check && o.export != "":
		return fault.New(fault.Usage, errors.New("flags --check and --export: one of them at a time"))
	case o.check:
		return a.checkLock(p)
	case o.export != "":
		return a.exportLock(ctx, p, o)
	}
	diff, _, err := a.relock(ctx, p, o.lockOptions)
	if err != nil {
		return err
	}
	return a.ui.result(diff)
}

// exportLock writes the lock for other installers, from the lock that there is
// or, where there is none, from a new one.
func (a *app) exportLock(ctx context.Context, p *project, o lockFlags) error {
	if _, err := p.file.Variant(o.variant); err != nil {
		return err
	}
	if err := p.checkExport(o.export); err != nil {
		return fault.New(fault.Usage, fmt.Errorf("flag --export: %w", err))
	}
	l, err := a.lockFor(ctx, p, false, o.lockOptions)
	if err != nil {
		return err
	}
	folder, err := seenFrom(filepath.Dir(o.export), p.dir)
	if err != nil {
		return err
	}
	text, err := l.Pylock(o.variant, folder)
	if err != nil {
		return fault.New(fault.Usage, fmt.Errorf("exporting %s: %w", p.lockPath(), err))
	}
	if o.export == "-" {
		return a.ui.result(string(text))
	}
	if err := atomicfile.Write(o.export, text, 0o644); err != nil {
		return fmt.Errorf("exporting %s: %w", p.lockPath(), err)
	}
	return a.ui.result(fmt.Sprintf("%s: %s\n", o.export, report.Count(strings.Count(string(text), "[[packages]]"), "package")))
}

// checkExport wants a name that PEP 751 has for a lock, and no file that the spec
// reads: whatever else has a name of that kind is there to be written anew.
func (p *project) checkExport(name string) error {
	base := filepath.Base(name)
	label := strings.TrimSuffix(strings.TrimPrefix(base, "pylock."), ".toml")
	if name != "-" && base != "pylock.toml" && (label == "" || base != "pylock."+label+".toml" || strings.Contains(label, ".")) {
		err := fmt.Errorf("%q is none of the names that other installers take: pylock.toml, pylock.NAME.toml", base)
		return fault.WithHint(err, "--export - writes to standard output")
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%q is there, and is no file", name)
	}
	there, err := os.Stat(name)
	if err != nil {
		return nil //nolint:nilerr // it is not there yet, or the writing says what is wrong
	}
	for _, variant := range p.file.Variants() {
		s, err := p.file.Variant(variant)
		if err != nil || s.Python.Lock == "" {
			continue
		}
		if read, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(s.Python.Lock))); err == nil && os.SameFile(there, read) { //nolint:gosec // below the folder of the spec
			return fmt.Errorf("%q is what the spec's lock is made from", name)
		}
	}
	return nil
}

// seenFrom is the path of a folder from another one, with slashes.
func seenFrom(from, folder string) (string, error) {
	from, fromErr := filepath.Abs(from)
	folder, folderErr := filepath.Abs(folder)
	if err := errors.Join(fromErr, folderErr); err != nil {
		return "", fmt.Errorf("finding folders: %w", err)
	}
	seen, err := filepath.Rel(from, folder)
	if err != nil {
		return "", fmt.Errorf("finding folders: %w", err)
	}
	return filepath.ToSlash(seen), nil
}

func (a *app) checkLock(p *project) error {
	l, ok, err := p.readLock()
	switch {
	case err != nil:
		return err
	case !ok:
		err := fault.New(fault.Findings, fmt.Errorf("%s does not exist", p.lockPath()))
		return fault.WithHint(err, fmt.Sprintf("\"build lock %s\" writes it", p.dir))
	}
	if err := p.checkDrift(l); err != nil {
		return err
	}
	a.ui.note("%s fits its spec", p.lockPath())
	return nil
}

// relock resolves the wishes of a spec anew, writes the lock, and tells what
// it changed, or, of a first one, what it holds. A lock that can't be read is
// replaced all the same: that is what its error says to do.
func (a *app) relock(ctx context.Context, p *project, o lockOptions) (diff string, l lock.Lock, err error) {
	before, ok, unread := p.readBefore()
	if unread != nil {
		a.ui.note("%v: versions of Python packages are not kept", unread)
	}
	l, err = a.resolve(ctx, p, o, before)
	if err != nil {
		return "", lock.Lock{}, err
	}
	if err = p.writeLock(l); err != nil || !ok {
		return lockSummary(l), l, err
	}
	return lockDiff(before, l), l, nil
}

// lockFor returns the lock to build from: the one of the folder if it fits the
// spec, a new one where there is none or the user wants one.
func (a *app) lockFor(ctx context.Context, p *project, renew bool, o lockOptions) (lock.Lock, error) {
	if !renew {
		l, ok, err := p.readLock()
		if err != nil || ok {
			return l, errors.Join(err, driftOf(p, l, ok))
		}
		a.ui.note("%s does not exist yet: locking first", p.lockPath())
	}
	diff, l, err := a.relock(ctx, p, o)
	if err == nil {
		a.ui.note("%s", diff)
	}
	return l, err
}

func driftOf(p *project, l lock.Lock, ok bool) error {
	if !ok {
		return nil
	}
	return p.checkDrift(l)
}
