package lamina

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
)

// tool is a file of a Debian package that assembles a base before there is one.
type tool struct {
	pkg      string
	name     string   // in the layer
	patterns []string // of its name in the package
}

func toolbox() []tool {
	return []tool{
		{"busybox-static", "busybox", []string{"bin/busybox", "usr/bin/busybox"}},
		{"libeatmydata1", "libeatmydata.so", []string{"usr/lib/libeatmydata.so.*", "usr/lib/*/libeatmydata.so.*"}},
	}
}

// tools packs the tools as one layer. They come out of locked packages, so the
// folder they were unpacked into is right as long as the packages are the same.
func (j job) tools(ctx context.Context, mirrors debian.Mirrors) (llb.Layer, error) {
	dir := filepath.Join(j.cacheDir, toolsDir)
	debs := make([]lock.Package, len(toolbox()))
	for i, t := range toolbox() {
		var ok bool
		if debs[i], ok = lock.Find(j.lock.In(lock.SetBootstrap, j.spec.Variant), t.pkg); !ok {
			return llb.Layer{}, fmt.Errorf("the lock has no package %s", t.pkg)
		}
		dir = filepath.Join(dir, debs[i].SHA256[:16])
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := j.unpackTools(ctx, mirrors, debs, dir); err != nil {
			return llb.Layer{}, fmt.Errorf("unpacking the tools that assemble a base: %w", err)
		}
	}
	return layers.Tree(ctx, j.store, layers.TreeOptions{
		Name: "tools", FS: os.DirFS(dir), Target: "/", Compression: layers.Uncompressed, Platform: j.platform(),
	})
}

// unpackTools takes each tool out of its package.
func (j job) unpackTools(ctx context.Context, mirrors debian.Mirrors, debs []lock.Package, dir string) (err error) {
	folder, err := atomicfile.Folder(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	for i, t := range toolbox() {
		deb := debs[i]
		file, err := j.files().Get(ctx, mirrors.URL(deb.Repository, deb.Path), debian.File{Size: deb.Size, SHA256: deb.SHA256})
		if err != nil {
			return err
		}
		data, err := debian.ReadDebFile(file, t.patterns...)
		if err != nil {
			return fmt.Errorf("reading package %q: %w", path.Base(deb.Path), err)
		}
		if err = os.WriteFile(filepath.Join(folder.Name(), t.name), data, 0o755); err != nil { //nolint:gosec // it is a program
			return err
		}
	}
	if err := folder.Commit(0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another build has unpacked them meanwhile
}
