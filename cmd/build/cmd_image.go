package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/atomicfile"
	"lamina.build/spec"
	"lamina.build/stages"
)

// imageOptions are the flags of "build image" as they were given.
type imageOptions struct {
	engineFlags
	sourceFlags
	progressFlags
	variant  string
	smoke    choice
	relock   bool
	noCache  bool
	tags     []string
	outputs  []string
	models   string
	push     bool
	insecure bool
	metadata string
	iidfile  string
	from, to []string
	print    choice
}

func (o *imageOptions) groups() []flagGroup {
	o.smoke = choice{string(stages.SmokeAll), []string{"all", "runtime", "off"}}
	o.print = choice{"", []string{"tree", "json", "dot", "layers"}}
	return []flagGroup{
		group("FLAGS", func(f *pflag.FlagSet) {
			f.StringVar(&o.variant, "variant", spec.Production,
				"build this `VARIANT`: production, minimal, debug, or one of the spec's own")
			f.Var(&o.smoke, "smoke", "which smoke tests must pass: all, those that need no app, or none")
			f.BoolVar(&o.relock, "relock", false, "renew image.lock first, as \"build lock\" does")
			f.Var(&o.print, "print", "print the graph instead of building it: as a tree if nothing else is said; or the image's layers, with their sizes as far as the lock knows them")
			f.Lookup("print").NoOptDefVal = "tree"
			f.StringVar(&o.models, "models", "",
				"take models from this `FOLDER`, the OCI layout that \"build model pull\" wrote")
			o.addProgress(f)
			o.addSource(f)
		}),
		group("OUTPUT FLAGS", func(f *pflag.FlagSet) {
			f.StringArrayVarP(&o.outputs, "output", "o", nil,
				"where the image goes, in the `SPEC` of docker buildx; may be repeated "+
					"(default: the OCI layout dist/NAME)")
			f.StringArrayVarP(&o.tags, "tag", "t", nil, "`NAME` of the image, registry/name:tag; may be repeated")
			f.BoolVar(&o.push, "push", false,
				"push to the registries of the tags; short for -o type=image,push=true")
			f.BoolVar(&o.insecure, "insecure-registry", false,
				"push by plain HTTP, or to a registry whose certificate nobody signed")
			f.StringVar(&o.metadata, "metadata-file", "",
				"write digests, layers and sizes to this `FILE`, as JSON")
			f.StringVar(&o.iidfile, "iidfile", "",
				"write the image's ID, the digest of its config, to this `FILE`")
		}),
		group("CACHE FLAGS", func(f *pflag.FlagSet) {
			f.StringArrayVar(&o.from, "cache-from", nil,
				"use what the cache at this `SPEC` has: type=registry,ref=…, type=local,src=…, "+
					"or a bare reference; may be repeated")
			f.StringArrayVar(&o.to, "cache-to", nil,
				"leave a cache at this `SPEC`: type=registry,ref=…, type=local,dest=…, type=inline; "+
					"may be repeated")
			f.BoolVar(&o.noCache, "no-cache", false, "run every step anew")
		}),
		o.group(),
	}
}

func imageHelp() string {
	var o imageOptions
	return page{
		about: `
Build the image that the image.toml in DIR, or in the current folder, describes;
where there is none, the example that is part of this program: Wan2.2-Animate for
Runpod, with 58 GB of weights ("go run ./examples/wan22-animate/rehearsal" tries it in minutes).

Where there is no image.lock yet, one is made first. A lock that no longer fits
its spec is an error; --relock renews it. The image is let out when its smoke
tests have passed, and lands in dist/NAME, an OCI layout with a tag for each
variant, unless --output or --push say otherwise.`,
		usage:  []string{"build [image] [DIR] [flags]"},
		groups: o.groups(),
		examples: `
$ build examples/faceblend
$ build --variant minimal --smoke runtime
$ build -t registry.example/faceblend:1 --push
$ build -o type=docker,dest=- | docker load
$ build -o type=oci,dest=faceblend.tar -o type=oci
$ build --cache-from registry.example/faceblend --cache-to registry.example/faceblend
$ build --print=dot | dot -Tsvg > graph.svg`,
		more: append([]section{{"OUTPUT", `
type=oci                    the OCI layout dist/NAME, which all variants share
type=oci,dest=FILE          an archive of an OCI layout; with tar=false a folder
type=docker,dest=FILE       an archive for "docker load"; - is the standard output
type=image,push=true        push to the registries of the names
type=local,dest=FOLDER      the bare files
further fields              name=NAME, registry.insecure=true, compression=zstd|gzip|uncompressed,
                            compression-level=N`}}, common()...),
	}.String()
}

func runImage(ctx context.Context, a *app, args []string) error {
	var o imageOptions
	rest, err := parse(o.groups(), args)
	if err != nil {
		return err
	}
	plan, err := o.plan(a, rest)
	if err != nil {
		return err
	}
	return a.image(ctx, plan)
}

// image is the whole way from a spec to an image.
func (a *app) image(ctx context.Context, plan plan) (err error) {
	start := time.Now()
	p, err := a.open(plan.dir, plan.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if _, err = p.Spec(plan.build.Variant); err != nil {
		return err
	}
	if plan.relock {
		var diff string
		if diff, err = relock(ctx, p, lamina.Upgrade{}); err != nil {
			return err
		}
		a.ui.note("%s", diff)
	}
	if plan.print != "" {
		var image stages.Image
		if image, err = p.Draw(ctx, plan.build); err != nil {
			return err
		}
		return a.printGraph(ctx, image, plan.print)
	}
	if err = a.ui.checkProgress(); err != nil {
		return err
	}
	made, err := p.Build(ctx, plan.build)
	if err != nil {
		return err
	}
	made.Took = time.Since(start)
	return a.tell(plan, made)
}

// tell prints the summary and writes the files that scripts asked for. The
// summary makes way where the image itself takes the standard output.
func (a *app) tell(plan plan, made lamina.Made) error {
	metadata, err := made.Metadata()
	if err != nil {
		return err
	}
	if plan.metadata != "" {
		err = atomicfile.Write(plan.metadata, metadata, 0o644)
	}
	if plan.iidfile != "" {
		err = errors.Join(err, atomicfile.Write(plan.iidfile, []byte(made.Config.String()), 0o644))
	}
	if err != nil {
		return fmt.Errorf("writing what was built: %w", err)
	}
	text := summary(made)
	for _, o := range plan.build.Outputs {
		if o.ToStdout() {
			a.ui.note("%s", text)
			return nil
		}
	}
	return a.ui.result(text)
}
