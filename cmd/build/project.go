package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lamina.build"
	wan22animate "lamina.build/examples/wan22-animate"
	"lamina.build/internal/failure"
)

// in opens the project in a directory with the options of the flags, for do.
func (a *app) in(dir string, o lamina.Options, do func(p *lamina.Project) error) (err error) {
	o.Env, o.Progress = a.env, a.ui
	a.ui.About(dir)
	p, err := lamina.Open(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return do(p)
}

// result returns a function that prints what a job returned: a text about it, or JSON.
func result[T any](a *app, asJSON bool, text func(T) string) func(T, error) error {
	return func(v T, err error) error {
		switch {
		case err != nil:
			return err
		case asJSON:
			return a.ui.ResultJSON(v)
		}
		return a.ui.Result(text(v))
	}
}

// print prints a text that a job returned.
func (a *app) print(text string, err error) error {
	if err != nil {
		return err
	}
	return a.ui.Result(text)
}

// inSpec is like in for the directory that --spec names, if it does.
func (a *app) inSpec(dir string, o lamina.Options, do func(p *lamina.Project) error) error {
	var named []string
	if dir != "" {
		named = []string{dir}
	}
	dir, err := a.findDir(named)
	if err != nil {
		return err
	}
	return a.in(dir, o, do)
}

// findDir returns the directory to use: the one named, else the current one if it has a
// spec, else that of the embedded example.
func (a *app) findDir(args []string) (string, error) {
	switch {
	case len(args) > 1:
		return "", a.misplaced(args)
	case len(args) == 0:
		if _, err := os.Lstat(lamina.SpecName); errors.Is(err, fs.ErrNotExist) {
			return a.example()
		}
		return ".", nil
	}
	dir := args[0]
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", failure.New(failure.Usage, fmt.Errorf("directory %q does not exist", dir))
	case err != nil:
		return "", failure.New(failure.Usage, err)
	case !info.IsDir():
		err := failure.New(failure.Usage, fmt.Errorf("%q is not a directory", dir))
		return "", failure.WithHint(err, fmt.Sprintf("name its directory: build %s", filepath.Dir(dir)))
	}
	return dir, nil
}

// example returns the directory of the embedded example, which it unpacks.
func (a *app) example() (string, error) {
	dir, err := lamina.Options{Env: a.env}.Example(wan22animate.Name, wan22animate.Files)
	if err == nil {
		a.ui.Notef("no %s in the current directory: using the example %s, in %s", lamina.SpecName, wan22animate.Name, dir)
	}
	return dir, err
}

// misplaced reports more than one directory. A command that doesn't come first looks
// like one.
func (a *app) misplaced(args []string) error {
	err := failure.New(failure.Usage, fmt.Errorf("one directory at a time, not %s", strings.Join(args, ", ")))
	commands := names(a.root())
	if i := slices.IndexFunc(args, func(word string) bool { return slices.Contains(commands, word) }); i >= 0 {
		err = failure.WithHint(err, fmt.Sprintf("put the command first: build %s …", args[i]))
	}
	return err
}
