package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
	"lamina.build/output"
)

func (a *app) verifyCommand() *cobra.Command {
	var options lamina.Options
	var o lamina.VerifyImageOptions
	var labels, annotations []string
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
to a file. An index gets one, too, if all of it was rebuilt and is the same.`,
		Example: `
$ git checkout v1.0 && build verify registry.example/faceblend:1.0
$ build verify dist/faceblend examples/faceblend
$ build verify --mirror vendored --offline dist/faceblend examples/faceblend
$ build verify --key cosign.pub --sign mine.key registry.example/faceblend:1.0`,
		Args: between(1, 2, "verify requires an image and accepts the directory of its project", ""),
		RunE: func(c *cobra.Command, args []string) (err error) {
			var annotationErr error
			o.Labels, err = labelsOf(labels)
			o.Annotations, annotationErr = annotationsOf(annotations)
			if err = errors.Join(err, annotationErr, a.ui.Show(progress.value), checkFile("statement", o.Statement)); err != nil {
				return err
			}
			dir := "."
			if len(args) == 2 {
				dir = args[1]
			}
			return a.in(dir, options, func(p *lamina.Project) error {
				v, err := p.VerifyImage(c.Context(), args[0], o)
				if err = result(a, asJSON, report.VerifiedImage)(v, err); err == nil && !v.Equal() {
					err = failure.New(failure.Findings, fmt.Errorf("%s differs from the rebuild from its lock and %q", args[0], dir))
				}
				return err
			})
		},
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.StringVar(&o.Variant, "variant", "", "build this `VARIANT` (default: the one that the image names)")
		f.StringSliceVar(&o.Platforms, "platform", nil, "build only the image for this `PLATFORM` of an index; may be repeated or take a comma-separated list")
		f.StringArrayVar(&labels, "label", nil, "label `KEY=VALUE` that the image was built with (--label); may be repeated")
		f.StringArrayVar(&annotations, "annotation", nil, "annotation `KEY=VALUE` that the image was built with (--annotation); may be repeated")
		f.BoolVar(&asJSON, "json", false, "print the result as JSON")
		insecureFlag(f, &options.Insecure, "the registry")
		progress = progressFlag(f)
		trustFlags(f, &o.Trust)
		signFlags(f, &o.Sign, "sign a statement that the digests are equal")
		f.StringVar(&o.Statement, "statement", "", "write the statement of --sign to this `FILE` instead of attaching it")
		sourceFlags(f, &options)
		mirrorFlags(f, &options)
	})
	engineFlags(c, &options)
	return c
}

// annotationsOf parses annotations as "build image" does.
func annotationsOf(texts []string) (list []output.Annotation, err error) {
	problems := make([]error, len(texts))
	for i, text := range texts {
		var parsed []output.Annotation
		parsed, problems[i] = output.ParseAnnotation(text)
		list = append(list, parsed...)
	}
	return list, failure.New(failure.Usage, errors.Join(problems...))
}
