package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"lamina.build/internal/fault"
	"lamina.build/lock"
)

type lockOptions struct {
	sourceFlags
	engineFlags
	check bool
}

func (o *lockOptions) groups() []flagGroup {
	return []flagGroup{group("FLAGS", func(f *pflag.FlagSet) {
		f.BoolVar(&o.check, "check", false,
			"only compare the lock with its spec: exit 3 where they differ, and change nothing")
		o.addSource(f)
	}), o.group()}
}

func lockHelp() string {
	var o lockOptions
	return page{
		about: `
Find the newest packages that answer the spec in DIR, or in the current folder,
and write them to image.lock beside it: every package by version, size and
sha256. What changed is printed.

The indexes are verified against the archive's keys. apt itself solves the
dependencies, on the engine and with its network off.`,
		usage:  []string{"build lock [DIR] [flags]"},
		groups: o.groups(),
		examples: `
$ build lock examples/faceblend
$ build lock --check || echo "image.toml has changed"
$ build lock --debian-mirror https://mirror.example/debian`,
		more: learnMore(),
	}.String()
}

func runLock(ctx context.Context, a *app, args []string) (err error) {
	var o lockOptions
	rest, err := parse(o.groups(), args)
	if err != nil {
		return err
	}
	dir, err := findDir(rest)
	if err != nil {
		return err
	}
	p, err := openProject(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if o.check {
		return a.checkLock(p)
	}
	diff, _, err := a.relock(ctx, p, o)
	if err != nil {
		return err
	}
	return a.ui.result(diff)
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
// it changed. A lock that can't be read is replaced all the same: that is what
// its error says to do.
func (a *app) relock(ctx context.Context, p *project, o lockOptions) (diff string, l lock.Lock, err error) {
	before, _, _ := p.readLock()
	l, err = a.resolve(ctx, p, o)
	if err != nil {
		return "", lock.Lock{}, err
	}
	return lockDiff(before, l), l, p.writeLock(l)
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
