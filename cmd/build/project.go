package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/fault"
	"lamina.build/internal/spec"
	"lamina.build/lock"
)

// lockName is what the lock of a folder is called.
const lockName = "image.lock"

// project is a folder with an image.toml.
type project struct {
	dir    string
	root   *os.Root // nothing that the spec names lies outside
	file   *spec.File
	wishes lock.Wishes
}

// openProject reads the spec of a folder and checks it: every fault that can
// be found without a network or an engine is found here.
func (a *app) openProject(dir string) (*project, error) {
	file, err := spec.Read(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, err)
	}
	p := &project{dir: dir, root: root, file: file}
	if err = file.CheckFiles(root.FS()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if p.wishes, err = file.Wishes(root.FS()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close lets go of the folder.
func (p *project) Close() error { return p.root.Close() }

// findDir is the folder that the user means: the one named, else the current one
// where it has a spec, else that of the embedded example.
func (a *app) findDir(args []string) (string, error) {
	switch {
	case len(args) > 1:
		return misplaced(args)
	case len(args) == 0:
		if _, err := os.Stat(spec.FileName); err != nil {
			return a.exampleDir()
		}
		return ".", nil
	}
	dir := args[0]
	info, err := os.Stat(dir) //nolint:gosec // the user names the path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fault.New(fault.Usage, fmt.Errorf("folder %q does not exist", dir))
	case err != nil:
		return "", fault.New(fault.Usage, err)
	case !info.IsDir():
		err := fault.New(fault.Usage, fmt.Errorf("%q is not a folder", dir))
		return "", fault.WithHint(err, fmt.Sprintf("name the folder that holds it: build %s", filepath.Dir(dir)))
	}
	return dir, nil
}

// misplaced reports more than one folder; a command that doesn't come first
// looks like one.
func misplaced(args []string) (string, error) {
	err := fault.New(fault.Usage, fmt.Errorf("one folder at a time, not %s", strings.Join(args, ", ")))
	for _, word := range args {
		if slices.Contains(names(commands()), word) {
			err = fault.WithHint(err, fmt.Sprintf("a command comes first: build %s …", word))
		}
	}
	return "", err
}

func (p *project) lockPath() string { return filepath.Join(p.dir, lockName) }

// readLock returns the lock of the folder; ok is false where there is none.
func (p *project) readLock() (l lock.Lock, ok bool, err error) {
	data, err := os.ReadFile(p.lockPath()) //nolint:gosec // the user names the path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lock.Lock{}, false, nil
	case err != nil:
		return lock.Lock{}, false, fault.New(fault.Usage, fmt.Errorf("reading lock: %w", err))
	}
	l, err = lock.Parse(p.lockPath(), data)
	switch {
	case errors.Is(err, lock.ErrOld):
		return lock.Lock{}, false, fault.WithHint(fault.New(fault.Findings, err),
			fmt.Sprintf("\"build lock %s\" writes it in this one, and keeps the versions of its Python packages", p.dir))
	case err != nil:
		return lock.Lock{}, false, fault.WithHint(fault.New(fault.Usage, err),
			fmt.Sprintf("\"build lock %s\" writes it anew", p.dir))
	}
	return l, true, nil
}

// readBefore returns the lock that a new one replaces, of whichever format; ok
// is false where there is none that can be read, and err says why it can't be.
func (p *project) readBefore() (l lock.Lock, ok bool, err error) {
	data, err := os.ReadFile(p.lockPath()) //nolint:gosec // the user names the path
	if errors.Is(err, fs.ErrNotExist) {
		return lock.Lock{}, false, nil
	}
	if err == nil {
		l, err = lock.ParseOld(p.lockPath(), data)
	}
	return l, err == nil, err
}

// checkDrift reports where a lock no longer answers the spec.
func (p *project) checkDrift(l lock.Lock) error {
	drift := l.Drift(p.wishes)
	if len(drift) == 0 {
		return nil
	}
	errs := make([]error, len(drift))
	for i, d := range drift {
		errs[i] = fmt.Errorf("%s: %s", p.lockPath(), d)
	}
	err := fault.New(fault.Findings, errors.Join(errs...))
	return fault.WithHint(err, fmt.Sprintf(
		"the lock no longer fits the spec: run \"build lock %s\", or build with --relock", p.dir,
	))
}

// writeLock replaces the lock of the folder as a whole, and leaves it alone
// where it says the same already.
func (p *project) writeLock(l lock.Lock) error {
	text := l.Format()
	if _, err := lock.Parse(p.lockPath(), text); err != nil {
		return fmt.Errorf("internal error: the new lock can't be read: %w", err)
	}
	old, err := os.ReadFile(p.lockPath()) //nolint:gosec // the user names the path
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err = atomicfile.Write(p.lockPath(), text, 0o644); err != nil {
		return fmt.Errorf("writing lock: %w", err)
	}
	return nil
}

func lockDigest(l lock.Lock) digest.Digest { return digest.FromBytes(l.Format()) }
