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

// open opens the project in a directory with the options of the flags.
func (a *app) open(dir string, o lamina.Options) (*lamina.Project, error) {
	o.Env, o.Progress = a.env, a.ui
	if a.ui.github != nil {
		a.ui.github.dir = dir
	}
	return lamina.Open(dir, o)
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
		a.ui.note("no %s in the current directory: using the example %s, in %s", lamina.SpecName, wan22animate.Name, dir)
	}
	return dir, err
}

// misplaced reports more than one directory. A command that doesn't come first looks
// like one.
func (a *app) misplaced(args []string) error {
	err := failure.New(failure.Usage, fmt.Errorf("one directory at a time, not %s", strings.Join(args, ", ")))
	commands := names(a.root())
	for _, word := range args {
		if slices.Contains(commands, word) {
			err = failure.WithHint(err, fmt.Sprintf("put the command first: build %s …", word))
		}
	}
	return err
}
