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

// The names of a directory's files, and the variant that every spec has.
const (
	SpecName   = spec.FileName
	LockName   = "image.lock"
	Production = spec.Production
)

// Project is a directory with an image.toml, and a machine to work on it.
type Project struct {
	*host

	dir          string
	root         *os.Root // holds everything that the spec names
	file         *spec.File
	requirements requirements.Requirements

	relocks bool // this Project made the lock of the directory
}

// Open reads the spec of a directory and checks it: it reports every problem that can be
// found without a network or an engine. The caller closes the project, which releases the
// engine of its jobs.
func Open(dir string, o Options) (*Project, error) {
	return open(dir, o, func(directory fs.FS) (*spec.File, error) { return spec.Read(directory, filepath.ToSlash(dir)) })
}

// New makes a project of a spec made by a program, in place of an image.toml. The
// directory has the files that the spec names, and receives the lock. The spec is checked
// like a file, with the same defaults; problems refer to its text, see [spec.Spec.Format].
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

// tree returns the files of the directory.
func (p *Project) tree() fs.FS { return beneath.FS(p.root) }

// Close releases the directory and the engine.
func (p *Project) Close() error { return errors.Join(p.root.Close(), p.close()) }

// Dir returns the directory.
func (p *Project) Dir() string { return p.dir }

// Variants returns the names of all variants: production first, then those that Lamina
// and the spec derive from it.
func (p *Project) Variants() []string { return p.file.Variants() }

// Spec returns the spec of a variant.
func (p *Project) Spec(variant string) (spec.Spec, error) { return p.file.Variant(variant) }

// LockPath returns the path of the directory's lock, which may not exist.
func (p *Project) LockPath() string { return filepath.Join(p.dir, LockName) }

// ReadLock returns the lock of the directory; ok is false if there is none. A lock of an
// earlier format is an error of the kind [Findings], one that can't be read of the kind
// [Usage].
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
			fmt.Sprintf("run \"build lock %s\" to convert it, which keeps the versions of its Python packages", p.dir))
	case err != nil:
		return lock.Lock{}, false, failure.WithHint(failure.New(failure.Usage, err),
			fmt.Sprintf("run \"build lock %s\" to write it again", p.dir))
	}
	return l, true, nil
}

// maxLock bounds the size of a lock, in bytes: one with 400 models of 100 files each
// has a third of that.
const maxLock = 16 << 20

// lockText returns the text of the lock, which can't be a link, since a new lock replaces it.
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

// checkLockFile rejects a lock that is not a regular file.
func (p *Project) checkLockFile(doing string) error {
	info, err := p.root.Lstat(LockName)
	if err == nil && !info.Mode().IsRegular() {
		return failure.New(failure.Usage, fmt.Errorf("%s lock: %q is %s, not a regular file", doing, p.LockPath(), beneath.Kind(info.Mode())))
	}
	return nil // reading or writing reports a file that is missing or out of reach
}

// readBefore returns the lock that a new one replaces, of any format; ok is false if
// there is none that can be read, and err says why.
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

// CheckLock reports where a lock doesn't fit the spec, as an error of the kind
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
		err = failure.WithHint(err, fmt.Sprintf("if you know who publishes there, add it below its [[model]] in %s: %s; otherwise run \"build lock --unpublish %s\" to remove it from the lock",
			SpecName, placeLine(misplaced[0].Place()), p.dir))
	}
	return failure.WithHint(err, fmt.Sprintf(
		"the lock no longer fits the spec: run \"build lock %s\", or build with --relock", p.dir,
	))
}

// ConfirmLock looks up the files that a lock has from other addresses than the package
// indexes in those indexes: that they have the same files is only a claim until then. If
// they don't, the error is of the kind [Findings]. A build confirms its lock, too.
func (p *Project) ConfirmLock(ctx context.Context, l lock.Lock) error {
	problems := make([]error, 0, len(l.Further)+1)
	for _, one := range l.Each() {
		problems = append(problems, p.resolver().Confirm(p.reach(ctx), one))
	}
	return explain(ctx, errors.Join(problems...))
}

// checkPlace reports before a lock is made that it can't be written.
func (p *Project) checkPlace() error {
	if err := p.checkLockFile("writing"); err != nil {
		return err
	}
	if err := unix.Access(p.dir, unix.W_OK); err != nil {
		err = failure.New(failure.Usage, fmt.Errorf("writing lock: directory %q: %w", p.dir, err))
		return failure.WithHint(err, "lock a copy of the directory and copy its "+LockName+" here; a build from a lock writes nothing here")
	}
	return nil
}

// WriteLock replaces the lock of the directory atomically, unless it is already the same.
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
