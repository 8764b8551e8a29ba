package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/output"
)

// plan checks all flags, reports everything that is wrong with them at once, and
// returns the folder and the build that they mean.
func (o *imageOptions) plan(a *app, args []string) (dir string, b lamina.Build, err error) {
	outputs, faults := o.destinations()
	remote, cacheErr := lamina.ParseCache(o.from, o.to)
	var streamErr error
	for _, out := range outputs {
		if out.ToStdout() && isTerminal(a.ui.stdout) {
			streamErr = errors.New("dest=-: an archive is not for a terminal to show: redirect it")
		}
	}
	fileErr := errors.Join(checkFile("metadata-file", o.metadata), checkFile("iidfile", o.iidfile))
	b = lamina.Build{
		Variant: o.variant, Smoke: lamina.Smoke(o.smoke.value), NoCache: o.noCache, CheckReproducible: o.twice, Outputs: outputs, Stdout: a.ui.stdout,
	}
	for _, word := range o.attach {
		b.Attach = append(b.Attach, lamina.Attachment(word))
	}
	if faults == nil { // outputs are held against each other when all of them can be
		faults = b.Check()
	}
	if err = errors.Join(faults, cacheErr, o.options.Check(), streamErr, fileErr); err != nil {
		return "", b, failure.New(failure.Usage, err)
	}
	b.Cache = remote
	if dir, err = a.findDir(args); err != nil {
		return "", b, o.misread(args, err)
	}
	a.ui.show(o.progress.value)
	return dir, b, nil
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
	var faults []error
	for _, tag := range o.tags {
		if err := output.CheckName(tag); err != nil {
			faults = append(faults, fmt.Errorf("flag --tag: %w", err))
		}
	}
	texts := o.outputs
	switch {
	case len(texts) == 0 && o.push:
		texts = []string{"type=image"}
	case len(texts) == 0:
		texts = []string{"type=oci"}
	}
	outputs, err := output.ParseAll(texts)
	if o.push && !makeImagesPush(outputs) && len(outputs) == len(texts) {
		faults = append(faults, errors.New(
			"flag --push: no output goes to a registry: add -o type=image, or leave --output out",
		))
	}
	for i := range outputs {
		out := &outputs[i]
		if out.Type != "local" {
			out.Names = append(out.Names, o.tags...)
		}
		if out.Type != "image" {
			continue
		}
		if len(out.Names) == 0 {
			faults = append(faults, errors.New(
				"an image for a registry needs a name: add --tag registry/name:tag",
			))
		}
	}
	return outputs, errors.Join(append(faults, err)...)
}

// makeImagesPush says whether there is an output that --push is about.
func makeImagesPush(outputs []output.Output) (found bool) {
	for i := range outputs {
		if outputs[i].Type == "image" {
			outputs[i].Push, found = true, true
		}
	}
	return found
}
