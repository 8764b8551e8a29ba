package testworld

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Sdist describes a source distribution to make. Only the name is required.
type Sdist struct {
	Name           string
	Version        string // "1.0"
	Requires       []string
	RequiresPython string
	BuildRequires  []string          // of its pyproject.toml; if nil it has none, only a setup.py
	Backend        string            // "setuptools.build_meta"
	Files          map[string]string // by path below its directory; setup.py and the like replace generated ones
	Yanked         string            // the reason; "" if it wasn't
}

func (s Sdist) withDefaults() Sdist {
	s.Version = or(s.Version, "1.0")
	s.Backend = or(s.Backend, "setuptools.build_meta")
	return s
}

func (s Sdist) directory() string { return escaped(s.Name) + "-" + s.Version }

// FileName returns the name of the file.
func (s Sdist) FileName() string { return s.withDefaults().directory() + ".tar.gz" }

func (s Sdist) listing() listing {
	s = s.withDefaults()
	return listing{project: s.Name, version: s.Version, requiresPython: s.RequiresPython, yanked: s.Yanked}
}

// files returns the given files and the required ones.
func (s Sdist) files() map[string]string {
	module := escaped(s.Name)
	all := map[string]string{
		"PKG-INFO": metadata{s.Name, s.Version, s.RequiresPython, nil, s.Requires}.String(),
	}
	if _, ok := s.Files["pyproject.toml"]; !ok {
		all["setup.py"] = s.setup()
	}
	if s.BuildRequires != nil {
		all["pyproject.toml"] = s.pyproject()
	}
	if _, ok := s.Files[module+"/__init__.py"]; !ok {
		all[module+".py"] = versionModule(s.Version)
	}
	maps.Copy(all, s.Files)
	return all
}

func (s Sdist) pyproject() string {
	return fmt.Sprintf("[build-system]\nrequires = %s\nbuild-backend = %q\n", quoted(s.BuildRequires), s.Backend)
}

func (s Sdist) setup() string {
	var modules []string
	if _, ok := s.Files[escaped(s.Name)+"/__init__.py"]; !ok {
		modules = []string{escaped(s.Name)}
	}
	python := ""
	if s.RequiresPython != "" {
		python = fmt.Sprintf(", python_requires=%q", s.RequiresPython)
	}
	return fmt.Sprintf("from setuptools import find_packages, setup\n\n"+
		"setup(name=%q, version=%q, install_requires=%s, py_modules=%s, packages=find_packages()%s)\n",
		s.Name, s.Version, quoted(s.Requires), quoted(modules), python)
}

// quoted returns a list in the syntax of both Python and TOML.
func quoted(list []string) string {
	items := make([]string, 0, len(list))
	for _, s := range list {
		items = append(items, fmt.Sprintf("%q", s))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// Write writes the file to a path on disk.
func (s Sdist) Write(t testing.TB, path string) {
	t.Helper()
	writeFile(t, path, s.writeTo)
}

// Bytes returns the file.
func (s Sdist) Bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.writeTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (s Sdist) writeTo(out io.Writer) error {
	s = s.withDefaults()
	packer := gzip.NewWriter(out)
	archive := tar.NewWriter(packer)
	files := s.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := s.add(archive, name, files[name]); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return packer.Close()
}

// add makes files that begin like a script executable.
func (s Sdist) add(archive *tar.Writer, name, content string) error {
	header := &tar.Header{
		Name: s.directory() + "/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content)), ModTime: zipStart(),
	}
	if strings.HasPrefix(content, "#!") {
		header.Mode = 0o755
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.WriteString(archive, content)
	return err
}
