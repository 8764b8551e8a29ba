package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
)

// tool is a file of a Debian package for assembling a base before there is one.
type tool struct {
	deb      lock.Package
	name     string   // in the layer
	patterns []string // for its name in the package
}

// toolbox returns the tools: busybox, and the library that saves dpkg its syncs. busybox
// unpacks Debian's packages, but not Ubuntu's, which use zstd: the base of another
// distribution is unpacked by its own dpkg-deb, which runs with its libraries next to it.
func (j job) toolbox() ([]tool, error) {
	var tools []tool
	var problems []error
	add := func(set lock.Kind, name string, patterns []string, packages ...string) {
		for _, pkg := range packages {
			if deb, ok := lock.Find(j.lock.In(set, j.spec.Variant), pkg); ok {
				tools = append(tools, tool{deb, name, patterns})
				return
			}
		}
		problems = append(problems, fmt.Errorf("the lock has no package %s", packages[0]))
	}
	add(lock.SetBootstrap, "busybox", []string{"bin/busybox", "usr/bin/busybox"}, "busybox-static")
	add(lock.SetBootstrap, "libeatmydata.so", []string{"usr/lib/libeatmydata.so.*", "usr/lib/*/libeatmydata.so.*"}, "libeatmydata1")
	if !j.isDebian() {
		add(lock.SetBase, "dpkg-deb", []string{"usr/bin/dpkg-deb"}, "dpkg")
		add(lock.SetBase, "ld.so", []string{"lib/ld-*.so.*", "usr/lib/ld-*.so.*", "lib/*/ld-*.so.*", "usr/lib/*/ld-*.so.*"}, "libc6")
		for soname, packages := range map[string][]string{
			"libc.so.6": {"libc6"}, "libmd.so.0": {"libmd0", "libmd0t64"}, "libz.so.1": {"zlib1g"}, "liblzma.so.5": {"liblzma5"}, "libzstd.so.1": {"libzstd1"}, "libbz2.so.1.0": {"libbz2-1.0"},
		} {
			add(lock.SetBase, soname, []string{"lib/*/" + soname + "*", "usr/lib/*/" + soname + "*"}, packages...)
		}
		slices.SortFunc(tools, func(a, b tool) int { return cmp.Compare(a.name, b.name) })
	}
	return tools, errors.Join(problems...)
}

// isDebian reports whether the base is Debian's own.
func (j job) isDebian() bool {
	return !slices.ContainsFunc(j.lock.In(lock.SetBase, j.spec.Variant), func(p lock.Package) bool {
		return p.Repository != debian.Main && p.Repository != debian.Security
	})
}

// tools packs the tools as one layer. They come from locked packages, so a directory that
// they were unpacked to stays valid as long as the packages are the same.
func (j job) tools(ctx context.Context, mirrors debian.Mirrors) (llb.Layer, error) {
	box, err := j.toolbox()
	if err != nil {
		return llb.Layer{}, err
	}
	dir := filepath.Join(j.cacheDir, toolsDir)
	for _, t := range box {
		dir = filepath.Join(dir, t.deb.SHA256[:16])
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := j.unpackTools(ctx, mirrors, box, dir); err != nil {
			return llb.Layer{}, fmt.Errorf("unpacking the tools that assemble a base: %w", err)
		}
	}
	return layers.Tree(ctx, j.store, layers.TreeOptions{
		Name: "tools", FS: os.DirFS(dir), Target: "/", Compression: layers.Uncompressed, Platform: j.platform(),
	})
}

// unpackTools extracts each tool from its package.
func (j job) unpackTools(ctx context.Context, mirrors debian.Mirrors, box []tool, dir string) (err error) {
	directory, err := atomicfile.Dir(dir, 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	for _, t := range box {
		deb := t.deb
		file, err := j.files().Get(ctx, mirrors.URL(deb.Repository, deb.Path), debian.File{Size: deb.Size, SHA256: deb.SHA256})
		if err != nil {
			return err
		}
		data, err := debian.ReadDebFile(file, t.patterns...)
		if err != nil {
			return fmt.Errorf("reading package %q: %w", path.Base(deb.Path), err)
		}
		if err = os.WriteFile(filepath.Join(directory.Name(), t.name), data, 0o755); err != nil { //nolint:gosec // it is a program
			return err
		}
	}
	if err := directory.Commit(); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another build has unpacked them
}
