package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func (a *app) vendorCommand() *cobra.Command {
	var (
		options  lamina.Options
		vendor   lamina.VendorOptions
		dir      string
		check    bool
		progress *choice
	)
	c := &cobra.Command{
		Use:   "vendor DIR|oci://REF [flags]",
		Short: "keep all that a lock names in one place, to build from that alone",
		Long: `
Fetch everything that image.lock and image.toml name into DIR: Debian packages,
wheels and sdists, uv, git trees as bundles, and the models. "build --mirror DIR"
then builds the same image from there, also with --offline, whoever has dropped a
file meanwhile.

DIR is an OCI layout: each file is a blob under its sha256, as it was locked, and
several projects may share one. A file that is there and right is not fetched again, so
that a run which was cut goes on where it was.

oci://REF is a tag of a registry, which an engine then reads by itself: the models stay
out, since "build model push" publishes them.

The engine's own programs are not among them; an engine that was started once on this
machine is there.`,
		Example: `
$ build vendor vendored
$ build vendor vendored --check
$ build vendor oci://registry.example/sources:1
$ build --mirror vendored --offline`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			err := failure.New(failure.Usage, errors.New("vendor needs one place: where to"))
			return failure.WithHint(err, "build vendor vendored --spec DIR")
		},
		ValidArgsFunction: oneDir,
		Annotations:       map[string]string{exitStatus: exitStatusText},
		RunE: func(c *cobra.Command, args []string) (err error) {
			a.ui.show(progress.value)
			if err = a.ui.checkProgress(); err != nil {
				return err
			}
			var dirs []string
			if dir != "" {
				dirs = []string{dir}
			}
			if dir, err = a.findDir(dirs); err != nil {
				return err
			}
			p, err := a.open(dir, options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			do := p.Vendor
			if check {
				do = p.CheckVendor
			}
			v, err := do(c.Context(), args[0], vendor)
			if err != nil {
				return err
			}
			return a.ui.result(report.Vendored(v, args[0]))
		},
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.StringVar(&dir, "spec", "", "the `DIR` with the image.toml and its lock, in place of the current one")
		f.BoolVar(&check, "check", false, "only read what is there: exit 3 where something is missing or altered, and name it")
		f.BoolVar(&vendor.NoModels, "no-models", false, "leave the models out")
		progress = progressFlag(f)
		sourceFlags(f, &options)
	})
	engineFlags(c, &options)
	return c
}
