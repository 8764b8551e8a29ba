package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func (a *app) inspectCommand() *cobra.Command {
	var options lamina.Options
	var trust lamina.Trust
	document := &choice{"", []string{"lock", "spdx", "cyclonedx", "provenance"}}
	asJSON, platform := false, ""
	c := &cobra.Command{
		Use:   "inspect IMAGE [flags]",
		Short: "describe an image and the documents attached to it",
		Long: `
Describe an image in a registry or an OCI layout: its platform, its layers, how it
starts, and the documents that "build --attach" or other tools attached to it. Only
manifest, config and documents are read, no layers.

With --key, or with --certificate-identity and its issuer, exit with 3 unless they
signed the image and the documents are those that were signed. That contacts nothing
but the registry.`,
		Example: `
$ build inspect registry.example/faceblend:1
$ build inspect dist/faceblend:debug
$ build inspect --document lock registry.example/faceblend:1 >image.lock
$ build inspect --document spdx dist/faceblend | less
$ build inspect --key cosign.pub registry.example/faceblend:1`,
		Args: between(1, 1, "inspect requires one image: its name in a registry, or the directory of an OCI layout", ""),
		RunE: func(c *cobra.Command, args []string) error {
			options.Env, options.Progress = a.env, a.ui
			if err := trust.Check(); err != nil {
				return err
			}
			image, err := lamina.Inspect(c.Context(), args[0], options)
			if err == nil && trust != (lamina.Trust{}) {
				image, err = image.Verify(trust)
			}
			if err == nil && platform != "" {
				image, err = image.For(platform)
			}
			if err == nil && document.value != "" {
				return a.printDocument(image, document.value)
			}
			return result(a, asJSON, report.Inspected)(image, err)
		},
	}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.Var(document, "document", "print an attached document unchanged")
		f.StringVar(&platform, "platform", "", "only the image for this `PLATFORM` of an index")
		trustFlags(f, &trust)
		jsonFlag(f, &asJSON)
		insecureFlag(f, &options.Insecure, "the registry")
	})
	return c
}

func (a *app) printDocument(image lamina.Inspected, which string) error {
	data, ok := documentOf(image, which)
	if slices.ContainsFunc(image.Further, func(other lamina.Inspected) bool {
		further, _ := documentOf(other, which)
		return !bytes.Equal(data, further)
	}) {
		a.ui.Notef("this is the %s of %s, the first of %d images; --platform chooses another", which, image.Platform, 1+len(image.Further))
	}
	if !ok {
		return failure.WithHint(failure.New(failure.Findings, fmt.Errorf("%s has no %s attached", image.Name, which)),
			"\"build --attach lock,sbom,provenance\" attaches them")
	}
	return a.ui.Result(string(data))
}

func documentOf(image lamina.Inspected, which string) (data []byte, ok bool) {
	if which == "provenance" {
		return image.Provenance()
	}
	media := map[string]string{"lock": lamina.LockType(), "spdx": lamina.SPDXType, "cyclonedx": lamina.CycloneDXType}
	return image.Document(media[which])
}
