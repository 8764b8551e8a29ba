package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/output"
)

// planned is the build of one variant.
type planned struct {
	o *imageOptions
	b lamina.Build
}

// plans returns the builds of all variants. Each requires its own names and paths.
func (o *imageOptions) plans(a *app, args []string) (dir string, list []planned, err error) {
	if len(o.variants) == 0 {
		return "", nil, failure.New(failure.Usage, errors.New("flag --variant: no variant is named"))
	}
	for _, variant := range o.variants {
		one := o.of(variant)
		var b lamina.Build
		if dir, b, err = one.plan(a, args); err != nil {
			return "", nil, err
		}
		args = []string{dir}
		list = append(list, planned{one, b})
	}
	return dir, list, checkShared(list)
}

// of returns the options for one variant, with its name in place of {variant}.
func (o *imageOptions) of(variant string) *imageOptions {
	one := *o
	fill := func(text string) string { return strings.ReplaceAll(text, "{variant}", variant) }
	all := func(texts []string) []string {
		texts = slices.Clone(texts)
		for i := range texts {
			texts[i] = fill(texts[i])
		}
		return texts
	}
	one.variant, one.tags, one.outputs, one.metadata, one.iidfile = variant, all(o.tags), all(o.outputs), fill(o.metadata), fill(o.iidfile)
	if len(o.variants) > 1 {
		one.again = slices.DeleteFunc(slices.Clone(o.again), func(word string) bool { return strings.HasPrefix(word, "--variant=") })
		one.again = append(one.again, "--variant="+variant)
	}
	return &one
}

// checkShared reports names and paths that two variants would share.
func checkShared(list []planned) error {
	owner, told := map[string]string{}, map[string]bool{}
	var problems []error
	for _, one := range list {
		taken := []string{one.o.metadata, one.o.iidfile}
		for _, out := range one.b.Outputs {
			taken = append(taken, out.Names...)
			if !out.Layout() {
				taken = append(taken, out.Dest)
			}
		}
		for _, what := range taken {
			if before, ok := owner[what]; ok && before != one.o.variant && what != "" && !told[what] {
				told[what] = true
				problems = append(problems, fmt.Errorf("variants %s and %s would both be %q", before, one.o.variant, what))
			}
			owner[what] = one.o.variant
		}
	}
	return failure.WithHint(failure.New(failure.Usage, errors.Join(problems...)), "write {variant} in a name or path: it stands for the name of each variant")
}

// plan checks all flags, reports all their problems at once, and returns the
// directory and the build that they describe.
func (o *imageOptions) plan(a *app, args []string) (dir string, b lamina.Build, err error) {
	outputs, problems := o.destinations()
	remote, cacheErr := lamina.ParseCache(o.from, o.to)
	var streamErr error
	for _, out := range outputs {
		if out.ToStdout() && isTerminal(a.ui.stdout) {
			streamErr = errors.New("dest=-: an archive can't be written to a terminal; redirect it")
		}
	}
	fileErr := errors.Join(checkFile("metadata-file", o.metadata), checkFile("iidfile", o.iidfile))
	if o.iidfile != "" && !slices.ContainsFunc(outputs, output.Output.HasImage) {
		fileErr = errors.Join(fileErr, errors.New("flag --iidfile: no output is an image"))
	}
	labels, labelErr := labelsOf(o.labels)
	b = lamina.Build{
		Variant: o.variant, Smoke: lamina.Smoke(o.smoke.value), NoCache: o.noCache, CheckReproducible: o.twice, Outputs: outputs, Stdout: a.ui.stdout,
		Labels: labels, Platforms: o.platforms, Sign: o.sign,
	}
	for _, word := range o.attach {
		b.Attach = append(b.Attach, lamina.Attachment(word))
	}
	if problems == nil { // conflicts between outputs make sense only once each is valid
		problems = b.Check()
	}
	progress, progressErr := o.shown()
	if err = errors.Join(problems, labelErr, cacheErr, o.options.Check(), streamErr, fileErr, progressErr); err != nil {
		return "", b, failure.New(failure.Usage, err)
	}
	b.Cache = remote
	if o.file != "" {
		if args, err = dirOf(o.file, args); err != nil {
			return "", b, err
		}
	}
	if dir, err = a.findDir(args); err != nil {
		return "", b, o.misread(args, err)
	}
	a.ui.show(progress)
	return dir, b, nil
}

// shown returns the mode in which the build is shown.
func (o *imageOptions) shown() (string, error) {
	mode := o.progress.value
	if o.quiet && mode != "auto" && mode != "quiet" {
		return mode, fmt.Errorf("flag --quiet shows nothing, which contradicts --progress=%s", mode)
	}
	if o.quiet {
		mode = "quiet"
	}
	return mode, nil
}

// labelsOf parses labels as docker does: a key without = has an empty value.
func labelsOf(texts []string) (map[string]string, error) {
	labels := map[string]string{}
	var problems []error
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		if key == "" {
			problems = append(problems, fmt.Errorf("flag --label: %q is not key=value", text))
		}
		labels[key] = value
	}
	return labels, errors.Join(problems...)
}

// dirOf returns the directory of the spec that --file names, as docker users name a Dockerfile.
func dirOf(file string, args []string) ([]string, error) {
	dir, name := filepath.Split(filepath.Clean(file))
	if name != lamina.SpecName {
		err := failure.New(failure.Usage, fmt.Errorf("flag --file: %q is not an %s; no other file is read, nor a Dockerfile", file, lamina.SpecName))
		return nil, failure.WithHint(err, "a directory has one spec: make another image a [variant.NAME] of it, or give it its own directory")
	}
	dir = filepath.Clean(dir)
	if len(args) == 0 {
		return []string{dir}, nil
	}
	is, err := os.Stat(dir)
	if named, otherErr := os.Stat(args[0]); err != nil || otherErr != nil || !os.SameFile(is, named) {
		err = failure.New(failure.Usage, fmt.Errorf("flag --file: %q is not the spec of directory %q, which its paths are relative to", file, args[0]))
		return nil, failure.WithHint(err, "build "+dir)
	}
	return args, nil
}

// checkFile reports before a build that its file can't be written afterwards.
func checkFile(flag, name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("flag --%s: %q exists and is not a regular file", flag, name)
	}
	if err := unix.Access(filepath.Dir(name)+"/", unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("flag --%s: directory %q: %w", flag, filepath.Dir(name), err)
	}
	return nil
}

// misread adds a hint where "--print json" was written for "--print=json".
func (o *imageOptions) misread(args []string, err error) error {
	for _, word := range o.print.words {
		if o.print.value != "" && len(args) > 0 && args[0] == word {
			return failure.WithHint(err, "write the form of the graph with =: --print="+word)
		}
	}
	return err
}

// destinations returns the outputs with names and pushing filled in.
func (o *imageOptions) destinations() ([]output.Output, error) {
	var problems []error
	for _, tag := range o.tags {
		if err := output.CheckName(tag); err != nil {
			problems = append(problems, fmt.Errorf("flag --tag: %w", err))
		}
	}
	texts := o.outputs
	switch {
	case len(texts) == 0 && o.push:
		texts = []string{"type=image"}
	case len(texts) == 0 && !o.load:
		texts = []string{"type=oci"}
	}
	outputs, err := output.ParseAll(texts)
	if o.push && !makeImagesPush(outputs) && len(outputs) == len(texts) {
		problems = append(problems, errors.New(
			"flag --push: no output goes to a registry: add -o type=image, or leave --output out",
		))
	}
	if o.load && !slices.ContainsFunc(outputs, output.Output.Loads) {
		outputs = append(outputs, output.Output{Type: output.Docker, Tar: true})
	}
	for i := range outputs {
		out := &outputs[i]
		if out.HasImage() {
			out.Names = append(out.Names, o.tags...)
		}
		if out.Type != "image" {
			continue
		}
		if len(out.Names) == 0 {
			problems = append(problems, errors.New(
				"an image for a registry needs a name: add --tag registry/name:tag",
			))
		}
	}
	return outputs, errors.Join(append(problems, err, annotate(outputs, o.notes, err == nil))...)
}

// annotate gives each output the annotations that it has a place for. If these are all
// of the outputs, each annotation must fit at least one.
func annotate(outputs []output.Output, texts []string, all bool) error {
	var problems []error
	for _, text := range texts {
		list, err := output.ParseAnnotation(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("flag --annotation: %w", err))
			continue
		}
		held := false
		for i := range outputs {
			held = len(outputs[i].Annotate(list)) < len(list) || held
		}
		if !held && all {
			problems = append(problems, fmt.Errorf("flag --annotation: no output has a place for %q", text))
		}
	}
	return errors.Join(problems...)
}

// makeImagesPush has all images pushed and reports whether there is one.
func makeImagesPush(outputs []output.Output) (found bool) {
	for i := range outputs {
		if outputs[i].Type == "image" {
			outputs[i].Push, found = true, true
		}
	}
	return found
}
