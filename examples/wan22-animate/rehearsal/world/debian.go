package world

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

// distPackages is Debian's directory of Python packages; wheelDir is that of the ones
// that it keeps as wheels.
const (
	distPackages = "usr/lib/python3/dist-packages/"
	wheelDir     = "usr/share/python-wheels/"
)

// repacked is a distribution made of Debian's real packages, since they are used to
// compile. Debian's version differs from the pinned one; it appears nowhere.
type repacked struct {
	packages []string
	version  string // Debian's, in its files
	wheel    func(files map[string]string, version string) testworld.Wheel
}

// compiledTag is the tag of wheels with Debian's extensions.
const compiledTag = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"

func repackings() map[string]repacked {
	return map[string]repacked{
		"numpy":      {[]string{"python3-numpy", "libblas3", "liblapack3", "libgfortran5", "libquadmath0"}, "1.24.2", numpy},
		"cython":     {[]string{"cython3"}, "0.29.32", cython},
		"setuptools": {[]string{"python3-setuptools-whl"}, "66.1.1", setuptools},
		"wheel":      {[]string{"python3-wheel-whl"}, "0.38.4", wheelOfWheel},
	}
}

// debianFiles returns the files of the repacked packages of Debian 12, by package name
// and path.
func debianFiles(ctx context.Context, g *debian.Getter, mirrors debian.Mirrors) (map[string]map[string]string, error) {
	keys, err := debian.ArchiveKeys()
	if err != nil {
		return nil, err
	}
	source := debian.Source{Repository: debian.Main, Suite: "bookworm", Components: []string{"main"}, Keys: keys}
	release, err := g.Release(ctx, mirrors, source, time.Now(), func(string) {})
	if err != nil {
		return nil, err
	}
	packages, err := g.Packages(ctx, mirrors, &release, source.Components, "amd64")
	if err != nil {
		return nil, err
	}
	index, err := debian.NewIndex(ctx, packages)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range repackings() {
		names = append(names, r.packages...)
	}
	found := make([]map[string]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() (err error) {
			found[i], err = filesOf(ctx, g, mirrors, index, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("getting the build packages from Debian: %w", err)
	}
	all := map[string]map[string]string{}
	for i, name := range names {
		all[name] = found[i]
	}
	return all, nil
}

func filesOf(ctx context.Context, g *debian.Getter, mirrors debian.Mirrors, index *debian.Index, name string) (map[string]string, error) {
	p, ok := index.Best(name)
	if !ok {
		return nil, fmt.Errorf("bookworm has no %s", name)
	}
	deb, err := g.Package(ctx, mirrors, p)
	if err != nil {
		return nil, err
	}
	in, err := os.Open(deb) //nolint:gosec // a file of the cache
	if err != nil {
		return nil, err
	}
	defer in.Close()
	files, links := map[string]string{}, map[string]string{}
	err = debian.WalkDeb(in, func(h *tar.Header, content io.Reader) error {
		at := strings.TrimPrefix(path.Clean(h.Name), "/")
		switch {
		case h.Typeflag == tar.TypeSymlink:
			links[at] = path.Join(path.Dir(at), h.Linkname) //nolint:gosec // looked up among names, and never on the disk
		case h.Typeflag == tar.TypeReg && installed(at):
			data, readErr := io.ReadAll(content)
			files[at] = string(data)
			return readErr
		}
		return nil
	})
	for at, target := range links {
		if content, ok := files[target]; ok {
			files[at] = content
		}
	}
	return files, err
}

// installed leaves out files for a package's developers: they would be unpacked and
// packed again for nothing.
func installed(name string) bool {
	if !strings.HasPrefix(name, "usr/lib/") && !strings.HasPrefix(name, wheelDir) {
		return false
	}
	for _, directory := range []string{"/tests/", "/f2py/", "/numpy/distutils/", "/numpy/array_api/", "/Cython/Tests/"} {
		if strings.Contains(name, directory) {
			return false
		}
	}
	return true
}

// repack makes the wheel of a distribution.
func repack(name, version string, packages map[string]map[string]string) testworld.Wheel {
	r := repackings()[name]
	files := map[string]string{}
	for _, p := range r.packages {
		maps.Copy(files, packages[p])
	}
	w := r.wheel(files, version)
	for at, content := range w.Files {
		if base := path.Base(at); base == "_version.py" || base == "Shadow.py" || at == "wheel/__init__.py" {
			w.Files[at] = strings.ReplaceAll(content, r.version, version)
		}
	}
	return w
}

// preload is NumPy's module for this purpose: its wheels bring a BLAS, which must be
// loaded before the extensions that need it.
const preload = `"""Loads the libraries that this wheel brings, from those that need none to those that need others."""

import ctypes
import os

for name in ("libquadmath.so.0", "libgfortran.so.5", "libblas.so.3", "liblapack.so.3"):
    ctypes.CDLL(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "numpy.libs", name), ctypes.RTLD_GLOBAL)
`

func numpy(files map[string]string, version string) testworld.Wheel {
	w := testworld.Wheel{Name: "numpy", Version: version, Tag: compiledTag, RequiresPython: ">=3.9", Files: map[string]string{}}
	for at, content := range files {
		module, isModule := strings.CutPrefix(at, distPackages)
		switch base := path.Base(at); {
		case isModule && strings.HasPrefix(module, "numpy/"):
			w.Files[module] = content
		case strings.HasPrefix(base, "lib") && strings.Count(base, ".") == 2: // libblas.so.3
			w.Files["numpy.libs/"+base] = content
		}
	}
	w.Files["numpy/_distributor_init.py"] = preload
	return w
}

func cython(files map[string]string, version string) testworld.Wheel {
	w := testworld.Wheel{Name: "Cython", Version: version, Tag: compiledTag, Files: map[string]string{}, Scripts: map[string]string{
		"cython": "Cython.Compiler.Main:setuptools_main", "cythonize": "Cython.Build.Cythonize:main",
	}}
	for at, content := range files {
		if module, ok := strings.CutPrefix(at, distPackages); ok && !strings.Contains(module, "egg-info") {
			w.Files[module] = content
		}
	}
	return w
}

func setuptools(files map[string]string, version string) testworld.Wheel {
	return rewheeled("setuptools", version, files)
}

func wheelOfWheel(files map[string]string, version string) testworld.Wheel {
	return rewheeled("wheel", version, files)
}

// rewheeled returns Debian's wheel under another version, with its entry points.
func rewheeled(name, version string, files map[string]string) testworld.Wheel {
	w := testworld.Wheel{Name: name, Version: version, RequiresPython: ">=3.8", Files: map[string]string{}}
	for at, content := range files {
		if !strings.HasPrefix(at, wheelDir+name+"-") {
			continue
		}
		archive, err := zip.NewReader(bytes.NewReader([]byte(content)), int64(len(content)))
		if err != nil {
			panic("internal error: " + err.Error()) // Debian's own, verified by its hash
		}
		for _, f := range archive.File {
			data := memberOf(f)
			directory, base := path.Split(f.Name)
			switch {
			case !strings.Contains(directory, ".dist-info/"):
				w.Files[f.Name] = data
			case base == "entry_points.txt":
				w.Extra = append(w.Extra, testworld.Entry{Name: name + "-" + version + ".dist-info/" + base, Mode: 0o644, Content: data})
			}
		}
	}
	return w
}

func memberOf(f *zip.File) string {
	in, err := f.Open()
	if err != nil {
		panic("internal error: " + err.Error()) // as above
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		panic("internal error: " + err.Error()) // as above
	}
	return string(data)
}
