package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	wan22animate "lamina.build/examples/wan22-animate"
	"lamina.build/internal/beside"
	"lamina.build/internal/pack"
	"lamina.build/internal/spec"
)

// examplesDir is the folder of the cache folder with the example that is part of
// this program. Its lock lies there, too, for as long as the example is the same.
const examplesDir = "examples"

// exampleDir is where the embedded example lies, unpacked when it is first wanted.
func (a *app) exampleDir() (string, error) {
	cache, err := a.cacheDir()
	if err != nil {
		return "", err
	}
	sum, err := filesDigest(wan22animate.Files)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, examplesDir, wan22animate.Name+"-"+sum.Encoded()[:12])
	if err := unpackOnce(dir, wan22animate.Files); err != nil {
		return "", fmt.Errorf("unpacking example %s: %w", wan22animate.Name, err)
	}
	a.ui.note("no %s in the current folder: this is about the example %s, in %s", spec.FileName, wan22animate.Name, dir)
	return dir, nil
}

// unpackOnce makes a folder of files, whole or not at all.
func unpackOnce(dir string, files fs.FS) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	t, err := beside.Folder(dir)
	if err != nil {
		return err
	}
	if err = os.CopyFS(t.Name(), files); err == nil {
		err = t.Commit(0o755)
	}
	if errors.Is(err, fs.ErrExist) { // another process was faster
		err = nil
	}
	return errors.Join(err, t.Close())
}

// filesDigest names all files of a tree by their paths and content.
func filesDigest(files fs.FS) (digest.Digest, error) {
	sums := map[string]digest.Digest{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		sums[name] = digest.FromBytes(data)
		return err
	})
	return pack.SetDigest(sums), err
}
