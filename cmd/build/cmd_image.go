package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/report"
	"lamina.build/output"
)

// imageOptions are the flags of "build image" as given.
type imageOptions struct {
	options   lamina.Options
	build     lamina.Build // of one of the variants
	outputs   output.Flags
	file      string
	variants  []string
	smoke     *choice
	relock    bool
	attach    []string
	labels    []string
	quiet     bool
	metadata  string
	iidfile   string
	from, to  []string
	print     *choice
	progress  *choice
	sameImage []string // the command that builds the image again
}

func (o *imageOptions) add(c *cobra.Command) {
	o.smoke = &choice{"all", []string{"all", "runtime", "off"}}
	o.print = &choice{"", []string{"tree", "json", "dot", "layers"}}
	section(c, "FLAGS", func(f *pflag.FlagSet) {
		f.StringSliceVar(&o.variants, "variant", []string{lamina.Production},
			"build this `VARIANT`: production, minimal, debug, or one of the spec's own; separate several with commas and write {variant} in names and paths, which stands for each")
		f.StringVarP(&o.file, "file", "f", "", "build the directory of this `FILE`, which must be an image.toml")
		f.StringSliceVar(&o.build.Platforms, "platform", nil, "build only for this `PLATFORM` of those in the spec; may be repeated or take a comma-separated list")
		f.Var(o.smoke, "smoke", "which smoke tests must pass: all, those that don't need the app (runtime), or none (off)")
		f.BoolVar(&o.build.CheckReproducible, "check-reproducible", false, "install the Debian packages twice; if files differ, name them and their packages and exit with 3")
		f.BoolVar(&o.relock, "relock", false, "update image.lock first, as \"build lock\" does")
		f.Var(o.print, "print", "print the graph instead of building it, as a tree by default, or the image's layers, with their sizes as far as the lock has them")
		f.Lookup("print").NoOptDefVal = "tree"
		f.StringVar(&o.options.Models, "models", "", "use the models in this `DIR`, an OCI layout that \"build model pull\" wrote")
		o.progress = progressFlag(f)
		f.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress and print only the image's ID")
		sourceFlags(f, &o.options)
		mirrorFlags(f, &o.options)
	})
	section(c, "OUTPUT FLAGS", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&o.outputs.Outputs, "output", "o", nil, "where the image goes, as a docker buildx `SPEC`; may be repeated (default: the OCI layout dist/NAME)")
		f.StringArrayVarP(&o.outputs.Tags, "tag", "t", nil, "`NAME` of the image, registry/name:tag; may be repeated")
		f.BoolVar(&o.outputs.Push, "push", false, "push to the registries of the tags; short for -o type=image,push=true")
		f.StringSliceVar(&o.attach, "attach", nil, "attach `DOCUMENTS` to the image, in registries and the layout: lock, sbom (SPDX and CycloneDX) or provenance (SLSA); "+
			"separate several with commas; the image's digest stays the same")
		signFlags(f, &o.build.Sign, "sign the image and its provenance, which is attached and names the other documents")
		f.BoolVar(&o.outputs.Load, "load", false, "load the image into docker; short for -o type=docker")
		f.StringArrayVar(&o.labels, "label", nil, "add the label `KEY=VALUE` to the image's config; may be repeated")
		f.StringArrayVar(&o.outputs.Annotations, "annotation", nil, "add the annotation `KEY=VALUE` to the image's manifest, or, with the prefix manifest-descriptor:, "+
			"to its descriptor; index: and index-descriptor: are for the index of several platforms; may be repeated")
		insecureFlag(f, &o.options.Insecure, "the registries of tags, caches and published models")
		f.StringVar(&o.metadata, "metadata-file", "", "write digests, layers and sizes to this `FILE`, as JSON")
		f.StringVar(&o.iidfile, "iidfile", "", "write the image's ID, the digest of its config, to this `FILE`")
	})
	const caches = "type=gha, type=s3,bucket=…, type=azblob,account_url=…"
	section(c, "CACHE FLAGS", func(f *pflag.FlagSet) {
		f.StringArrayVar(&o.from, "cache-from", nil, "import the cache at this `SPEC`: type=registry,ref=…, type=local,src=…, "+caches+", or a bare reference; may be repeated")
		f.StringArrayVar(&o.to, "cache-to", nil, "export a cache to this `SPEC`: type=registry,ref=…, type=local,dest=…, type=inline, "+caches+"; may be repeated")
		f.BoolVar(&o.build.NoCache, "no-cache", false, "run every step again")
	})
	engineFlags(c, &o.options)
}

func (a *app) imageCommand() *cobra.Command {
	return a.image(&cobra.Command{
		Use:   "image [DIR] [flags]",
		Short: "build an image (what build does without a command)",
		Long: `
Build the image that image.toml in DIR, or in the current directory, describes. Without
one, build the embedded example: Wan2.2-Animate for Runpod, with 54.1 GB of weights
("go run ./examples/wan22-animate/rehearsal" tries it in minutes).

If there is no image.lock yet, one is made first. A lock that no longer fits its spec is
an error; --relock updates it. The image is exported once its smoke tests have passed,
by default to dist/NAME, an OCI layout with a tag for each variant; --output and --push
change that.`,
		Example: `
$ build examples/faceblend
$ build --variant minimal --smoke runtime
$ build --variant production,debug -t registry.example/faceblend:1-{variant} --push
$ build -t registry.example/faceblend:1 --push
$ build -o type=docker,dest=- | docker load
$ build -o type=oci,dest=faceblend.tar -o type=oci
$ build --cache-from registry.example/faceblend --cache-to registry.example/faceblend
$ build --print=dot | dot -Tsvg > graph.svg`,
		Annotations: map[string]string{exitStatus: exitStatusText, environment: environmentText, outputForms: `
type=oci                    the OCI layout dist/NAME, which all variants share
type=oci,dest=FILE          an archive of an OCI layout; with tar=false a directory
type=docker,dest=FILE       an archive for "docker load"; - is the standard output
type=docker                 load into the docker that the docker command reaches
type=registry               push to the registries of the names, as type=image,push=true; with
                            push-by-digest=true without a tag
type=local,dest=DIR         the bare files; type=tar,dest=FILE archives them
type=cacheonly              no output: the image is built, tested and kept in caches
further fields              name=NAME, registry.insecure=true, compression=zstd|gzip|uncompressed,
                            annotation.KEY=VALUE`},
		ValidArgsFunction: oneDir,
	})
}

// image makes c a command that builds an image, with all its flags.
func (a *app) image(c *cobra.Command) *cobra.Command {
	var o imageOptions
	o.add(c)
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if !c.HasParent() {
			if err := unknownWord(c, args); err != nil {
				return o.misread(args, err)
			}
		}
		o.sameImage = again(c.Flags(), args)
		dir, list, err := o.plans(a, args)
		if err != nil {
			return err
		}
		return a.in(dir, o.options, func(p *lamina.Project) error { return a.build(c.Context(), p, list) })
	}
	return c
}

// build builds the images of a spec, all on one engine.
func (a *app) build(ctx context.Context, p *lamina.Project, list []*imageOptions) error {
	for _, o := range list {
		if _, err := p.Spec(o.build.Variant); err != nil {
			return err
		}
	}
	if list[0].relock {
		diff, err := relock(ctx, p, lamina.Upgrade{})
		if err != nil {
			return err
		}
		a.ui.Note(diff)
	}
	for _, o := range list {
		if err := a.buildOne(ctx, p, o); err != nil {
			return err
		}
	}
	return nil
}

// buildOne builds one image, or prints its graph or its layers.
func (a *app) buildOne(ctx context.Context, p *lamina.Project, o *imageOptions) error {
	switch form := o.print.value; form {
	case "":
		made, err := p.Build(ctx, o.build)
		if err != nil {
			return err
		}
		return a.tell(o, made)
	case "layers":
		image, err := p.Draw(ctx, o.build)
		return a.print(report.Planned(image.Parts), err)
	default:
		return a.print(p.Print(ctx, o.build, form))
	}
}

// tell prints the summary and writes the files that scripts requested. The summary
// goes to standard error when the image itself goes to standard output.
func (a *app) tell(o *imageOptions, made lamina.Made) error {
	metadata, err := made.Metadata()
	if err != nil {
		return err
	}
	if o.metadata != "" {
		err = atomicfile.Write(o.metadata, metadata, 0o644)
	}
	if o.iidfile != "" {
		err = errors.Join(err, atomicfile.Write(o.iidfile, []byte(made.ID().String()), 0o644))
	}
	if err != nil {
		return fmt.Errorf("writing what was built: %w", err)
	}
	text := report.Image(made, o.sameImage)
	if o.quiet {
		text = strings.TrimLeft(made.ID().String()+"\n", "\n")
	}
	if slices.ContainsFunc(o.build.Outputs, output.Output.ToStdout) {
		a.ui.Note(text)
		return nil
	}
	return a.ui.Result(text)
}
