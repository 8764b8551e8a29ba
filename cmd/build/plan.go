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

// plans returns the options for each variant. Each requires its own names and paths.
func (o *imageOptions) plans(a *app, args []string) (dir string, list []*imageOptions, err error) {
	if len(o.variants) == 0 {
		return "", nil, failure.New(failure.Usage, errors.New("flag --variant: no variant is named"))
	}
	for _, variant := range o.variants {
		one := o.of(variant)
		if dir, err = one.plan(a, args); err != nil {
			return "", nil, err
		}
		args = []string{dir}
		list = append(list, one)
	}
	return dir, list, checkShared(list)
}

// of returns the options for one variant, with its name in place of {variant}.
func (o *imageOptions) of(variant string) *imageOptions {
	one := *o
	fill := func(text string) string { return strings.ReplaceAll(text, "{variant}", variant) }
	all := func(texts []string) (filled []string) {
		for _, text := range texts {
			filled = append(filled, fill(text))
		}
		return filled
	}
	one.build.Variant, one.metadata, one.iidfile = variant, fill(o.metadata), fill(o.iidfile)
	one.outputs.Tags, one.outputs.Outputs = all(o.outputs.Tags), all(o.outputs.Outputs)
	if len(o.variants) > 1 {
		one.sameImage = slices.DeleteFunc(slices.Clone(o.sameImage), func(word string) bool { return strings.HasPrefix(word, "--variant=") })
		one.sameImage = append(one.sameImage, "--variant="+variant)
	}
	return &one
}

// checkShared reports names and paths that two variants would share.
func checkShared(list []*imageOptions) error {
	owner, told := map[string]string{}, map[string]bool{}
	var problems []error
	for _, o := range list {
		taken := []string{o.metadata, o.iidfile}
		for _, out := range o.build.Outputs {
			taken = append(taken, out.Names...)
			if !out.Layout() {
				taken = append(taken, out.Dest)
			}
		}
		for _, what := range taken {
			if before, ok := owner[what]; ok && before != o.build.Variant && what != "" && !told[what] {
				told[what] = true
				problems = append(problems, fmt.Errorf("variants %s and %s would both be %q", before, o.build.Variant, what))
			}
			owner[what] = o.build.Variant
		}
	}
	return failure.WithHint(failure.New(failure.Usage, errors.Join(problems...)), "write {variant} in a name or path: it stands for the name of each variant")
}

// plan checks all flags, reports all their problems at once, fills in the build that they
// describe, and returns its directory.
func (o *imageOptions) plan(a *app, args []string) (dir string, err error) {
	b := &o.build
	b.Smoke, b.Stdout = lamina.Smoke(o.smoke.value), a.ui.Stdout()
	for _, word := range o.attach {
		b.Attach = append(b.Attach, lamina.Attachment(word))
	}
	var problems, labelErr, fileErr error
	b.Labels, labelErr = labelsOf(o.labels)
	caches, cacheErr := lamina.ParseCache(o.from, o.to)
	if b.Outputs, problems = o.outputs.Parse(); problems == nil { // conflicts make sense only once each is valid
		problems = b.Check()
	}
	if slices.ContainsFunc(b.Outputs, output.Output.ToStdout) && a.ui.OnTerminal() {
		fileErr = errors.New("dest=-: an archive can't be written to a terminal; redirect it")
	}
	fileErr = errors.Join(fileErr, checkFile("metadata-file", o.metadata), checkFile("iidfile", o.iidfile))
	if o.iidfile != "" && !slices.ContainsFunc(b.Outputs, output.Output.HasImage) {
		fileErr = errors.Join(fileErr, errors.New("flag --iidfile: no output is an image"))
	}
	progress, progressErr := o.shown()
	if err = errors.Join(problems, labelErr, cacheErr, o.options.Check(), fileErr, progressErr); err != nil {
		return "", failure.New(failure.Usage, err)
	}
	b.Cache = caches
	if o.file != "" {
		if args, err = dirOf(o.file, args); err != nil {
			return "", err
		}
	}
	if dir, err = a.findDir(args); err != nil {
		return "", o.misread(args, err)
	}
	if err = a.ui.Show(progress); o.print.value != "" {
		err = nil // no engine works
	}
	return dir, err
}

// shown returns the mode in which the build is shown.
func (o *imageOptions) shown() (string, error) {
	mode := o.progress.value
	switch {
	case !o.quiet || mode == "quiet":
		return mode, nil
	case mode == "auto":
		return "quiet", nil
	}
	return mode, fmt.Errorf("flag --quiet shows nothing, which contradicts --progress=%s", mode)
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
	return labels, failure.New(failure.Usage, errors.Join(problems...))
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
	err := unix.Access(filepath.Dir(name)+"/", unix.W_OK|unix.X_OK)
	if err != nil {
		err = fmt.Errorf("flag --%s: directory %q: %w", flag, filepath.Dir(name), err)
	}
	if info, statErr := os.Stat(name); statErr == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("flag --%s: %q exists and is not a regular file", flag, name)
	}
	return failure.New(failure.Usage, err)
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
