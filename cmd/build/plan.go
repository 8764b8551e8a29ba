package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/distribution/reference"

	"lamina.build"

	"lamina.build/cache"
	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/output"
	"lamina.build/stages"
)

// plan is what the flags of "build image" mean, checked.
type plan struct {
	dir      string
	options  lamina.Options
	build    lamina.Build
	relock   bool
	print    string
	metadata string
	iidfile  string
}

// plan checks all flags and reports everything that is wrong with them at once.
func (o *imageOptions) plan(a *app, args []string) (plan, error) {
	outputs, outputErr := o.destinations()
	remote, cacheErr := o.remote()
	_, mirrorErr := debian.ParseMirrors(o.mirror)
	var streamErr error
	for _, out := range outputs {
		if out.ToStdout() && isTerminal(a.ui.stdout) {
			streamErr = errors.New("dest=-: an archive is not for a terminal to show: redirect it")
		}
	}
	fileErr := errors.Join(checkFile("metadata-file", o.metadata), checkFile("iidfile", o.iidfile))
	if err := errors.Join(outputErr, cacheErr, mirrorErr, streamErr, fileErr); err != nil {
		return plan{}, failure.New(failure.Usage, err)
	}
	dir, err := a.findDir(args)
	if err != nil {
		return plan{}, o.misread(args, err)
	}
	a.ui.quiet, a.ui.mode = o.mode.value == "quiet", o.mode.value
	return plan{
		dir:     dir,
		options: lamina.Options{Engine: o.addr, DebianMirror: o.mirror, PythonIndex: o.index, Models: o.models},
		build: lamina.Build{
			Variant: o.variant, Smoke: stages.Level(o.smoke.value), NoCache: o.noCache, Outputs: outputs, Cache: remote, Stdout: a.ui.stdout,
		},
		relock: o.relock, print: o.print.value, metadata: o.metadata, iidfile: o.iidfile,
	}, nil
}

// checkFile finds out before a build that its file can't be written after it.
func checkFile(flag, name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("flag --%s: %q is there, and is no file", flag, name)
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return fmt.Errorf("flag --%s: %w", flag, err)
	}
	return nil
}

// misread adds a hint where "--print json" was written for "--print=json".
func (o *imageOptions) misread(args []string, err error) error {
	for _, word := range o.print.words {
		if o.print.value != "" && len(args) > 0 && args[0] == word {
			return failure.WithHint(err, "the form of a graph is written with =: --print="+word)
		}
	}
	return err
}

// destinations are the outputs with names and pushing filled in.
func (o *imageOptions) destinations() ([]output.Output, error) {
	outputs, err := output.ParseAll(o.outputs)
	var faults []error
	for _, tag := range o.tags {
		named, bad := reference.ParseNormalizedNamed(tag)
		if bad != nil {
			faults = append(faults, fmt.Errorf("flag --tag: %q is not the name of an image: %w", tag, bad))
		} else if _, pinned := named.(reference.Digested); pinned {
			faults = append(faults, fmt.Errorf("flag --tag: %q has a digest, which only a build can know", tag))
		}
	}
	switch {
	case o.push && len(o.outputs) > 0 && !o.makeImagesPush(outputs):
		faults = append(faults, errors.New(
			"flag --push: no output goes to a registry: add -o type=image, or leave --output out",
		))
	case o.push && len(o.outputs) == 0:
		outputs = []output.Output{{Type: output.Image, Push: true}}
	case len(o.outputs) == 0:
		outputs = []output.Output{{Type: output.OCI}}
	}
	layouts := 0
	for i := range outputs {
		out := &outputs[i]
		if out.Type != output.Local {
			out.Names = append(out.Names, o.tags...)
		}
		if out.Layout() {
			layouts++
		}
		if out.Type != output.Image {
			continue
		}
		out.Insecure = out.Insecure || o.insecure
		if len(out.Names) == 0 {
			faults = append(faults, errors.New(
				"an image for a registry needs a name: add --tag registry/name:tag",
			))
		}
	}
	if layouts > 1 {
		faults = append(faults, errors.New("only one output can be an OCI layout in a folder"))
	}
	return outputs, errors.Join(append(faults, err)...)
}

// makeImagesPush says whether there is an output that --push is about. Where
// outputs couldn't be read that is not known, and not complained about.
func (o *imageOptions) makeImagesPush(outputs []output.Output) bool {
	found := len(outputs) < len(o.outputs)
	for i := range outputs {
		if outputs[i].Type == output.Image {
			outputs[i].Push, found = true, true
		}
	}
	return found
}

func (o *imageOptions) remote() (cache.Remote, error) {
	var r cache.Remote
	faults := make([]error, 0, len(o.from)+len(o.to))
	for _, s := range o.from {
		e, err := cache.ParseImport(s)
		r.Imports, faults = append(r.Imports, e), append(faults, err)
	}
	for _, s := range o.to {
		e, err := cache.ParseExport(s)
		r.Exports, faults = append(r.Exports, e), append(faults, err)
	}
	return r, errors.Join(faults...)
}
