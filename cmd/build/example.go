package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"lamina.build"
	wan22animate "lamina.build/examples/wan22-animate"
	"lamina.build/internal/atomicfile"
	"lamina.build/spec"
)

// exampleDir is where the embedded example lies, as this program has it. A lock that
// an earlier program left there stays, and is held against the spec as any other.
func (a *app) exampleDir() (string, error) {
	dir, err := lamina.Options{Env: a.env}.ExampleDir(wan22animate.Name)
	if err != nil {
		return "", err
	}
	if err := mirror(dir, wan22animate.Files); err != nil {
		return "", fmt.Errorf("unpacking example %s: %w", wan22animate.Name, err)
	}
	a.ui.note("no %s in the current folder: this is about the example %s, in %s", spec.FileName, wan22animate.Name, dir)
	return dir, nil
}

// mirror makes a folder have these files, and but for a lock no others.
func mirror(dir string, files fs.FS) error {
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(at, 0o755) //nolint:gosec // no secrets
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if old, err := os.ReadFile(at); err == nil && bytes.Equal(old, text) { //nolint:gosec // in our own cache
			return nil
		}
		return atomicfile.Write(at, text, 0o644)
	})
	if err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == lamina.LockName {
			return err
		}
		if _, err := fs.Stat(files, name); errors.Is(err, fs.ErrNotExist) && !strings.Contains(path.Base(name), ".lamina-") {
			return os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
		}
		return nil
	})
}
