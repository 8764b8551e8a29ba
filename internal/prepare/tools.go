package prepare

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
func (p packer) tools(ctx context.Context) (llb.Layer, error) {
	dir := p.ToolsDir
	for _, t := range toolbox() {
		deb, ok := lock.Find(p.Lock.In(lock.SetBootstrap, p.Spec.Variant), t.pkg)
		if !ok {
			return llb.Layer{}, fmt.Errorf("the lock has no package %s", t.pkg)
		}
		dir = filepath.Join(dir, deb.SHA256[:16])
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := p.unpackTools(ctx, dir); err != nil {
			return llb.Layer{}, fmt.Errorf("unpacking the tools that assemble a base: %w", err)
		}
	}
	return layers.Tree(ctx, p.Store, layers.TreeOptions{
		Name: "tools", FS: os.DirFS(dir), Target: "/", Compression: layers.Uncompressed, Platform: p.platform,
	})
}

func (p packer) unpackTools(ctx context.Context, dir string) (err error) {
	folder, err := atomicfile.Folder(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	for _, t := range toolbox() {
		deb, _ := lock.Find(p.Lock.In(lock.SetBootstrap, p.Spec.Variant), t.pkg)
		if err := p.unpackTool(ctx, t, deb, filepath.Join(folder.Name(), t.name)); err != nil {
			return err
		}
	}
	if err := folder.Commit(0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another build has unpacked them meanwhile
}

func (p packer) unpackTool(ctx context.Context, t tool, deb lock.Package, target string) error {
	want := debian.File{Size: deb.Size, SHA256: deb.SHA256}
	file, err := p.Getter.Get(ctx, p.Mirrors.URL(deb.Repository, deb.Path), want)
	if err != nil {
		return err
	}
	data, err := debian.ReadDebFile(file, t.patterns...)
	if err != nil {
		return fmt.Errorf("reading package %q: %w", path.Base(deb.Path), err)
	}
	return os.WriteFile(target, data, 0o755) //nolint:gosec // it is a program
}
