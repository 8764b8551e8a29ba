package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/spf13/pflag"

	"lamina.build/internal/fault"
	"lamina.build/internal/rehearsal"
	"lamina.build/internal/spec"
	"lamina.build/internal/testworld"
)

// rehearseOptions are the flags of "build rehearse".
type rehearseOptions struct {
	engineFlags
	sourceFlags
	progressFlags
	variants []string
	keep     string
}

func (o *rehearseOptions) groups() []flagGroup {
	return []flagGroup{
		group("FLAGS", func(f *pflag.FlagSet) {
			f.StringSliceVar(&o.variants, "variant", []string{spec.Production, spec.Minimal, spec.Debug},
				"rehearse these `VARIANTS`")
			f.StringVar(&o.keep, "keep", "",
				"write the project as it is rehearsed, its lock and the images into this `FOLDER`, which must be empty")
			f.StringVar(&o.mirror, "debian-mirror", "", "fetch Debian packages from this `URL`, or name=URL,… for repositories by name")
			o.addProgress(f)
		}),
		o.group(),
	}
}

func rehearseHelp() string {
	var o rehearseOptions
	return page{
		about: `
Build the example wan22-animate, or what you made of it in DIR, against stand-ins
for the internet on this machine: package indexes with every distribution of its
closure, git repositories and a hub, with the real names, versions and
dependencies and a thousandth of the bytes. Then start each image under runc, wait
until it is ready and have it do a job. The spec is the one that is shipped, but for
addresses and the two git commits.

It takes minutes where the real build takes an hour, and proves all but what the
stand-ins can't know: that the real files are there, and what a GPU does.
Debian's packages are the real ones. Only root can start containers.`,
		usage:  []string{"build rehearse [DIR] [flags]"},
		groups: o.groups(),
		examples: `
$ build rehearse
$ build rehearse --variant minimal --keep /tmp/rehearsal
$ build rehearse my-worker --variant blackwell`,
		more: learnMore(),
	}.String()
}

func runRehearse(ctx context.Context, a *app, args []string) error {
	var o rehearseOptions
	rest, err := parse(o.groups(), args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fault.New(fault.Usage, errors.New("only root can start containers with the user of an image"))
	}
	a.ui.quiet = o.mode.value == "quiet"
	dir, err := a.findDir(rest)
	if err == nil {
		err = o.check(dir)
	}
	if err != nil {
		return err
	}
	runc, err := a.findRunc(ctx)
	if err != nil {
		return err
	}
	room, err := a.rehearsalRoom(runc)
	if err != nil {
		return err
	}
	err = testworld.During(ctx, room.Name(), func(t testing.TB) error {
		return (&rehearser{app: a, o: o, runc: runc}).rehearse(t, dir)
	})
	return errors.Join(err, room.Close())
}

// check finds what is wrong with a spec and the variants before a world is made.
func (o rehearseOptions) check(dir string) error {
	file, err := spec.Read(dir)
	if err != nil {
		return err
	}
	if len(o.variants) == 0 {
		return fault.New(fault.Usage, errors.New("flag --variant: no variant is named"))
	}
	faults := make([]error, 0, len(o.variants)+2)
	if _, err := exec.LookPath("git"); err != nil {
		faults = append(faults, fault.WithHint(fault.New(fault.Usage, err), "stand-ins for git repositories need it: apt install git"))
	}
	for _, name := range o.variants {
		_, err := file.Variant(name)
		faults = append(faults, err)
	}
	if err := rehearsal.Check(os.DirFS(dir)); err != nil {
		err = fault.New(fault.Usage, fmt.Errorf("rehearsing %q: %w", dir, err))
		faults = append(faults, fault.WithHint(err, "rehearsals are for the example wan22-animate, and for what is made of it"))
	}
	return errors.Join(faults...)
}
