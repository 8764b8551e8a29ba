package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func (a *app) verifyCommand() *cobra.Command {
	var options lamina.Options
	var o lamina.VerifyImageOptions
	var labels []string
	var progress *choice
	asJSON := false
	c := &cobra.Command{
		Use:   "verify IMAGE [DIR] [flags]",
		Short: "rebuild an image from its lock and a checkout, and compare",
		Long: `
Rebuild an image from the lock attached to it and from the spec and the trees in DIR, or
in the current directory, and compare the two. The rebuild runs on a new, empty engine,
or without a cache on the engine of --addr or --builder, and without smoke tests, which
change nothing.

If the digests are equal, the checkout tells what is in the image. If they differ, the
command exits with 3 and names the layers, files and bytes that differ.

With --key, or with --certificate-identity and its issuer, the signatures of the image
and its lock are checked before anything is built. With --sign, a signed statement that
the digests are equal (a SLSA verification summary) is attached to the image, or written
to a file.`,
		Example: `
$ git checkout v1.0 && build verify registry.example/faceblend:1.0
$ build verify dist/faceblend examples/faceblend
$ build verify --key cosign.pub --sign mine.key registry.example/faceblend:1.0`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return failure.New(failure.Usage, errors.New("verify requires an image and accepts the directory of its project"))
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Labels, err = labelsOf(labels); err != nil {
				return failure.New(failure.Usage, err)
			}
			a.ui.show(progress.value)
			if err = a.ui.checkProgress(); err != nil {
				return err
			}
			if err = checkFile("statement", o.Statement); err != nil {
				return failure.New(failure.Usage, err)
			}
			dir := "."
			if len(args) == 2 {
				dir = args[1]
			}
			p, err := a.open(dir, options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			v, err := p.VerifyImage(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			return a.verified(v, args[0], dir, asJSON)
		},
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.StringVar(&o.Variant, "variant", "", "build this `VARIANT` (default: the one that the image names)")
		f.StringSliceVar(&o.Platforms, "platform", nil, "build only the image for this `PLATFORM` of an index; may be repeated or take a comma-separated list")
		f.StringArrayVar(&labels, "label", nil, "label `KEY=VALUE` that the image was built with (--label); may be repeated")
		f.BoolVar(&asJSON, "json", false, "print the result as JSON")
		f.BoolVar(&options.Insecure, "insecure-registry", false, "allow plain HTTP and untrusted certificates for the registry")
		progress = progressFlag(f)
		trustFlags(f, &o.Trust)
		signFlags(f, &o.Sign, "sign a statement that the digests are equal")
		f.StringVar(&o.Statement, "statement", "", "write the statement of --sign to this `FILE` instead of attaching it")
		sourceFlags(f, &options)
	})
	engineFlags(c, &options)
	return c
}

// verified prints the result of a rebuild, and fails if the images differ.
func (a *app) verified(v lamina.Verified, name, dir string, asJSON bool) (err error) {
	if asJSON {
		err = a.ui.resultJSON(v)
	} else {
		err = a.ui.result(report.VerifiedImage(v))
	}
	if err == nil && !v.Equal() {
		err = failure.New(failure.Findings, fmt.Errorf("%s differs from the rebuild from its lock and %q", name, dir))
	}
	return err
}
