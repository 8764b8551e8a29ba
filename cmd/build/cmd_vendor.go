package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

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
		Use:   "vendor DEST|oci://REF [flags]",
		Short: "store all sources of a lock in one place, to build from it alone",
		Long: `
Fetch everything that image.lock and image.toml name into DEST: Debian packages,
wheels and sdists, uv, git trees as bundles, and the models. "build --mirror DEST"
then builds the same image from it, even with --offline, and even if a server has
since dropped a file.

DEST is an OCI layout: each file is a blob under its locked sha256, and several projects
may share one. Files that are already there and intact are not fetched again, so an
interrupted run can be resumed.

oci://REF is a tag of a registry, which engines then read directly. It leaves the models
out, since "build model push" publishes them.

The engine's own programs are not included; an engine that was started once on this
machine is available.`,
		Example: `
$ build vendor vendored
$ build vendor vendored --check
$ build vendor oci://registry.example/sources:1
$ build --mirror vendored --offline`,
		Args:              between(1, 1, "vendor requires one destination", "build vendor vendored --spec DIR"),
		ValidArgsFunction: oneDir,
		Annotations:       map[string]string{exitStatus: exitStatusText},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err = a.ui.Show(progress.value); err != nil {
				return err
			}
			return a.inSpec(dir, options, func(p *lamina.Project) error {
				do := p.Vendor
				if check {
					do = p.CheckVendor
				}
				text := func(v lamina.Vendored) string { return report.Vendored(v, args[0]) }
				return result(a, false, text)(do(c.Context(), args[0], vendor))
			})
		},
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		specFlag(f, &dir)
		f.BoolVar(&check, "check", false, "fetch nothing; name what is missing or altered and exit with 3")
		f.BoolVar(&vendor.NoModels, "no-models", false, "leave out the models")
		progress = progressFlag(f)
		sourceFlags(f, &options)
	})
	engineFlags(c, &options)
	return c
}
