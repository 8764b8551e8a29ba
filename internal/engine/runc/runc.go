// Package runc provides runc on a host that has none: from Debian's signed packages,
// unpacked into a cache directory. The system is not changed.
package runc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
)

// Options says where to download runc from and where to put it.
type Options struct {
	Mirrors  debian.Mirrors
	CacheDir string         // runc goes to runc/VERSION below it
	Arch     string         // in Debian's terms: "amd64"
	Getter   *debian.Getter // default: one with CacheDir as its cache
	Keys     debian.Keyring // default: Debian's own
	Suites   []string       // default: bookworm and its security updates
	Now      time.Time      // default: the present
	Progress func(string)   // may be nil
}

// Fetch returns the path of a runc that runs here. It reuses what an earlier call
// unpacked, without using the network.
func Fetch(ctx context.Context, o Options) (string, error) {
	o, err := o.withDefaults()
	if err != nil {
		return "", err
	}
	if program := newest(o.CacheDir); program != "" && check(ctx, program) == nil {
		return program, nil
	}
	o.Progress("fetching runc from Debian")
	p, err := find(ctx, o)
	if err != nil {
		return "", fmt.Errorf("fetching runc: %w", err)
	}
	deb, err := o.Getter.Package(ctx, o.Mirrors, p)
	if err != nil {
		return "", fmt.Errorf("fetching runc: %w", err)
	}
	program := filepath.Join(directory(o.CacheDir), p.Version, "runc")
	if err := unpack(deb, program); err != nil {
		return "", fmt.Errorf("unpacking %s: %w", p, err)
	}
	if err := check(ctx, program); err != nil {
		return "", err
	}
	return program, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Getter == nil {
		o.Getter = debian.NewGetter(o.CacheDir)
	}
	if len(o.Suites) == 0 {
		o.Suites = []string{"bookworm", "bookworm-security"}
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if len(o.Keys.Fingerprints()) > 0 {
		return o, nil
	}
	var err error
	o.Keys, err = debian.ArchiveKeys()
	return o, err
}

func directory(cacheDir string) string { return filepath.Join(cacheDir, "runc") }

// newest returns the most recently unpacked runc.
func newest(cacheDir string) string {
	programs, _ := filepath.Glob(filepath.Join(directory(cacheDir), "*", "runc"))
	slices.SortFunc(programs, func(a, b string) int { return cmp.Compare(modified(a), modified(b)) })
	if len(programs) == 0 {
		return ""
	}
	return programs[len(programs)-1]
}

func modified(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

func find(ctx context.Context, o Options) (*debian.Package, error) {
	files := make([][]debian.IndexFile, len(o.Suites))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, suite := range o.Suites {
		group.Go(func() error {
			s := debian.Source{Repository: debian.RepositoryOf(suite), Suite: suite, Components: []string{"main"}, Keys: o.Keys}
			r, err := o.Getter.Release(groupCtx, o.Mirrors, s, o.Now, o.Progress)
			if err != nil {
				return err
			}
			files[i], err = o.Getter.Packages(groupCtx, o.Mirrors, &r, s.Components, o.Arch)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	index, err := debian.NewIndex(ctx, slices.Concat(files...))
	if err != nil {
		return nil, err
	}
	p, ok := index.Best("runc")
	if !ok {
		return nil, fmt.Errorf("%s has no package %q for %s", strings.Join(o.Suites, ", "), "runc", o.Arch)
	}
	return p, nil
}

// unpack writes the program atomically, so that an existing runc is always usable.
func unpack(deb, program string) error {
	content, err := debian.ReadDebFile(deb, "usr/sbin/runc")
	if err != nil {
		return err
	}
	return atomicfile.Stream(program, 0o755, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// check runs the program, which needs the host's libc and libseccomp.
func check(ctx context.Context, program string) error {
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	// A child that another goroutine is just starting may still hold the new file open for
	// writing (https://go.dev/issue/22315).
	for n := 0; errors.Is(err, unix.ETXTBSY) && n < 10; n++ {
		_ = failure.Pause(ctx, 10*time.Millisecond<<n) // the next attempt reports the end of ctx
		out, err = exec.CommandContext(ctx, program, "--version").CombinedOutput()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	text := strings.TrimSpace(string(out))
	err = failure.New(failure.NoEngine, fmt.Errorf("running %s --version: %w: %s", program, err, text))
	if strings.Contains(text, "libseccomp") {
		return failure.WithHint(err, "it needs libseccomp.so.2 of the host: install libseccomp2 (or runc or crun) with the system's package manager")
	}
	return failure.WithHint(err, "install runc or crun with the system's package manager")
}
