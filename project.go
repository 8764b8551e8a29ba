package lamina

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
	"lamina.build/spec"
)

// What the files of a directory are called, and the variant that every spec has.
const (
	SpecName   = spec.FileName
	LockName   = "image.lock"
	Production = spec.Production
)

// Project is a directory with an image.toml, and a machine to work on it.
type Project struct {
	*host

	dir          string
	root         *os.Root // nothing that the spec names lies outside
	file         *spec.File
	requirements requirements.Requirements

	relocks bool // the lock of the directory was made by this very project
}

// Open reads the spec of a directory and checks it: every problem that can
// be found without a network or an engine is found here. The caller closes the
// project, which lets go of the engine that its jobs had.
func Open(dir string, o Options) (*Project, error) {
	return open(dir, o, func(directory fs.FS) (*spec.File, error) { return spec.Read(directory, filepath.ToSlash(dir)) })
}

// New makes a project of a spec that a program has made, in the place of an
// image.toml. The directory has what the spec names, and gets the lock. It is checked as a
// file is, with the same defaults; problems are those of its text, see [spec.Spec.Format].
func New(dir string, s spec.Spec, o Options) (*Project, error) {
	text, err := s.Format()
	if err != nil {
		return nil, err
	}
	return open(dir, o, func(fs.FS) (*spec.File, error) { return spec.Parse("the spec of "+s.Name, text) })
}

func open(dir string, o Options, read func(directory fs.FS) (*spec.File, error)) (*Project, error) {
	h, err := openHost(o)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	p := &Project{host: h, dir: dir, root: root}
	if err = p.read(read); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Project) read(read func(directory fs.FS) (*spec.File, error)) (err error) {
	if p.file, err = read(p.tree()); err != nil {
		return err
	}
	if err = p.file.CheckFiles(p.tree()); err != nil {
		return err
	}
	p.requirements, err = requirements.Read(p.file, p.tree(), p.env)
	return err
}

// tree are the files of the directory.
func (p *Project) tree() fs.FS { return beneath.FS(p.root) }

// Close lets go of the directory and of the engine.
func (p *Project) Close() error { return errors.Join(p.root.Close(), p.close()) }

// Dir is the directory.
func (p *Project) Dir() string { return p.dir }

// Variants are the names of all variants: production first, then those that Lamina
// and the spec derive from it.
func (p *Project) Variants() []string { return p.file.Variants() }

// Spec is what the spec says of a variant.
func (p *Project) Spec(variant string) (spec.Spec, error) { return p.file.Variant(variant) }

// LockPath is where the lock of the directory lies, or would.
func (p *Project) LockPath() string { return filepath.Join(p.dir, LockName) }

// ReadLock returns the lock of the directory; ok is false where there is none. One of
// an earlier format is an error of the kind [Findings], one that can't be read of the
// kind [Usage].
func (p *Project) ReadLock() (l lock.Lock, ok bool, err error) {
	data, err := p.lockText()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lock.Lock{}, false, nil
	case err != nil:
		return lock.Lock{}, false, err
	}
	l, err = lock.Parse(p.LockPath(), data)
	switch {
	case errors.Is(err, lock.ErrOld):
		return lock.Lock{}, false, failure.WithHint(failure.New(failure.Findings, err),
			fmt.Sprintf("\"build lock %s\" writes it in this one, and keeps the versions of its Python packages", p.dir))
	case err != nil:
		return lock.Lock{}, false, failure.WithHint(failure.New(failure.Usage, err),
			fmt.Sprintf("\"build lock %s\" writes it anew", p.dir))
	}
	return l, true, nil
}

// maxLock bounds the size of a lock, in bytes: one with 400 models of 100 files each
// has a third of that.
const maxLock = 16 << 20

// lockText is the text of the lock. It is no link, since a new lock takes its place.
func (p *Project) lockText() ([]byte, error) {
	if err := p.checkLockFile("reading"); err != nil {
		return nil, err
	}
	text, err := beneath.ReadAtMost(p.tree(), LockName, maxLock)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading lock: %w", err))
	}
	return text, nil
}

// checkLockFile refuses what is called as a lock is and can't be one.
func (p *Project) checkLockFile(doing string) error {
	info, err := p.root.Lstat(LockName)
	if err == nil && !info.Mode().IsRegular() {
		return failure.New(failure.Usage, fmt.Errorf("%s lock: %q is %s and not a regular file", doing, p.LockPath(), beneath.Kind(info.Mode())))
	}
	return nil // where there is none, or it can't be looked at, the reading or writing tells
}

// readBefore returns the lock that a new one replaces, of whichever format; ok
// is false where there is none that can be read, and err says why it can't be.
func (p *Project) readBefore() (l lock.Lock, ok bool, err error) {
	data, err := p.lockText()
	if errors.Is(err, fs.ErrNotExist) {
		return lock.Lock{}, false, nil
	}
	if err == nil {
		l, err = lock.Parse(p.LockPath(), data)
	}
	if errors.Is(err, lock.ErrOld) {
		err = nil
	}
	return l, err == nil, err
}

// CheckLock reports where a lock does not answer the spec, as an error of the kind
// [Findings].
func (p *Project) CheckLock(l lock.Lock) error {
	drift, err := p.resolver().Drift(l)
	if err != nil || len(drift) == 0 {
		return err
	}
	errs := make([]error, len(drift))
	for i, d := range drift {
		errs[i] = fmt.Errorf("%s: %s", p.LockPath(), d)
	}
	err = failure.New(failure.Findings, errors.Join(errs...))
	if misplaced := l.Misplaced(p.requirements.Lock); len(misplaced) > 0 {
		err = failure.WithHint(err, fmt.Sprintf("if you know who publishes there, write it below its [[model]] in %s: %s; else \"build lock --unpublish %s\" has the lock forget it",
			SpecName, placeLine(misplaced[0].Place()), p.dir))
	}
	return failure.WithHint(err, fmt.Sprintf(
		"the lock no longer fits the spec: run \"build lock %s\", or build with --relock", p.dir,
	))
}

// ConfirmLock asks the package indexes for what a lock that fits its spec has from elsewhere
// than they are: that they have the same is a claim until then. An error of the kind
// [Findings] is that they don't. A build does so, too.
func (p *Project) ConfirmLock(ctx context.Context, l lock.Lock) error {
	problems := make([]error, 0, len(l.Further)+1)
	for _, one := range l.Each() {
		problems = append(problems, p.resolver().Confirm(p.reach(ctx), one))
	}
	return explain(ctx, errors.Join(problems...))
}

// checkPlace finds out before a lock is made that it can't be written.
func (p *Project) checkPlace() error {
	if err := p.checkLockFile("writing"); err != nil {
		return err
	}
	if err := unix.Access(p.dir, unix.W_OK); err != nil {
		err = failure.New(failure.Usage, fmt.Errorf("writing lock: directory %q: %w", p.dir, err))
		return failure.WithHint(err, "lock a copy of the directory, and keep its "+LockName+" with this one: a build from a lock writes nothing here")
	}
	return nil
}

// WriteLock replaces the lock of the directory as a whole, and leaves it alone
// where it says the same already.
func (p *Project) WriteLock(l lock.Lock) error {
	text := l.Format()
	if _, err := lock.Parse(p.LockPath(), text); err != nil {
		return fmt.Errorf("internal error: the new lock can't be read: %w", err)
	}
	old, err := p.lockText()
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err = atomicfile.Write(p.LockPath(), text, 0o644); err != nil {
		return fmt.Errorf("writing lock: %w", err)
	}
	return nil
}
