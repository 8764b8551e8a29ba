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
		Short: "build an image anew from its lock and a checkout, and compare",
		Long: `
Build an image anew and compare the two: from the lock that is attached to it, and
from the spec and the trees in DIR, or in the current directory. It is built on an
engine of its own that has nothing yet, or without a cache on the one of --addr or
--builder, and without smoke tests, which change nothing.

Where the digests are the same, whoever has the checkout knows what is in the image.
Where they are not, the command exits with 3 and names the layers, the files and the
bytes that differ.

With --key, or with --certificate-identity and its issuer, the image and its lock must
be signed by them before anything is built. With --sign, a signed statement says that
the digests are the same (a SLSA verification summary): it is attached to the image, or
written to a file.`,
		Example: `
$ git checkout v1.0 && build verify registry.example/faceblend:1.0
$ build verify dist/faceblend examples/faceblend
$ build verify --key cosign.pub --sign mine.key registry.example/faceblend:1.0`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return failure.New(failure.Usage, errors.New("verify takes an image, and the directory of its project at most"))
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
		f.StringVar(&o.Variant, "variant", "", "build this `VARIANT` (default: the one that the image says it is)")
		f.StringSliceVar(&o.Platforms, "platform", nil, "build only the image for this `PLATFORM` of an index; may be repeated, or with a comma")
		f.StringArrayVar(&labels, "label", nil, "`KEY=VALUE` that a --label has given the image; may be repeated")
		f.BoolVar(&asJSON, "json", false, "print what was found as JSON")
		f.BoolVar(&options.Insecure, "insecure-registry", false, "reach the registry by plain HTTP, or where nobody signed its certificate")
		progress = progressFlag(f)
		trustFlags(f, &o.Trust)
		signFlags(f, &o.Sign, "say in a signed statement that the digests are the same")
		f.StringVar(&o.Statement, "statement", "", "write the statement of --sign to this `FILE`, and attach nothing")
		sourceFlags(f, &options)
	})
	engineFlags(c, &options)
	return c
}

// verified prints what became of an image, and fails where that is another one.
func (a *app) verified(v lamina.Verified, name, dir string, asJSON bool) (err error) {
	if asJSON {
		err = a.ui.resultJSON(v)
	} else {
		err = a.ui.result(report.VerifiedImage(v))
	}
	if err == nil && !v.Equal() {
		err = failure.New(failure.Findings, fmt.Errorf("%s is not what its lock and %q give", name, dir))
	}
	return err
}
