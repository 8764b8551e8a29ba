package lamina

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/platforms"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// Pylock returns the Python distributions of a variant as the text of a pylock.toml
// (PEP 751) to be written to a path, which its own paths are relative to; "-" stands for
// the current directory. The path must not exist yet, or be a lock that may be replaced.
// The platform is one of the lock's, "linux/arm64", or "" for the first.
func (p *Project) Pylock(ctx context.Context, variant, platform, path string) ([]byte, error) {
	if _, err := p.file.Variant(variant); err != nil {
		return nil, err
	}
	if err := p.checkExport(path); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("flag --export: %w", err))
	}
	l, err := p.Locked(ctx)
	if err != nil {
		return nil, err
	}
	if platform != "" {
		if l, err = platformOf(l, platform); err != nil {
			return nil, failure.New(failure.Usage, fmt.Errorf("flag --platform: %w", err))
		}
	}
	directory, err := seenFrom(filepath.Dir(path), p.dir)
	if err != nil {
		return nil, err
	}
	text, err := l.Pylock(variant, directory)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("exporting %s: %w", p.LockPath(), err))
	}
	return text, nil
}

func platformOf(l lock.Lock, platform string) (lock.Lock, error) {
	parsed, err := parsePlatform(platform)
	if err != nil {
		return l, err
	}
	one, ok := l.For(platforms.Format(parsed))
	if !ok {
		return l, fmt.Errorf("the lock is for %s, not for %s", strings.Join(l.Platforms(), ", "), platform)
	}
	return one, nil
}

// checkExport requires PEP 751's name for a lock, and rejects a file that the spec reads:
// others of such a name may be overwritten.
func (p *Project) checkExport(name string) error {
	base := filepath.Base(name)
	label := strings.TrimSuffix(strings.TrimPrefix(base, "pylock."), ".toml")
	if name != "-" && base != "pylock.toml" && (label == "" || base != "pylock."+label+".toml" || strings.Contains(label, ".")) {
		err := fmt.Errorf("%q is not a name that other installers accept: pylock.toml, pylock.NAME.toml", base)
		return failure.WithHint(err, "use --export - for standard output")
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%q exists and is not a regular file", name)
	}
	there, err := os.Stat(name)
	if err != nil {
		return nil //nolint:nilerr // it doesn't exist yet, or writing reports the problem
	}
	for _, variant := range p.file.Variants() {
		s, err := p.file.Variant(variant)
		if err != nil || s.Python.Lock == "" {
			continue
		}
		if read, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(s.Python.Lock))); err == nil && os.SameFile(there, read) {
			return fmt.Errorf("%q is the file that the spec's lock is made from", name)
		}
	}
	return nil
}

// seenFrom returns the path of directory relative to from, with slashes.
func seenFrom(from, directory string) (string, error) {
	from, err := filepath.Abs(from)
	if err == nil {
		directory, err = filepath.Abs(directory)
	}
	if err == nil {
		directory, err = filepath.Rel(from, directory)
	}
	if err != nil {
		return "", fmt.Errorf("finding directories: %w", err)
	}
	return filepath.ToSlash(directory), nil
}
