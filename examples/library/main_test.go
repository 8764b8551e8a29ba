package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build"
	"lamina.build/internal/layout"
	"lamina.build/internal/test/container"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/output"
	"lamina.build/spec"
)

func TestMain(m *testing.M) { os.Exit(e2etest.Main(m)) }

// The program builds an image, and the image runs: its own layer, and its model.
func TestRealLibrary(t *testing.T) {
	u := e2etest.NewUser(t)
	t.Setenv("XDG_CACHE_HOME", u.Cache)
	t.Setenv("BUILDKIT_HOST", u.Addr)
	dir, dest := filepath.Join(t.TempDir(), "library"), filepath.Join(t.TempDir(), "image")
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	out := output.Output{Type: output.OCI, Dest: dest}
	made, err := build(t.Context(), dir, lamina.Build{Outputs: []output.Output{out}})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Layers) != 3 || made.Layers[2].Stage != "hello" {
		t.Errorf("layers: %+v", made.Layers)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start containers")
	}
	l, err := layout.Open(t.Context(), dest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	image, err := l.Read(t.Context(), "production")
	if err != nil {
		t.Fatal(err)
	}
	m, err := container.New(t.Context(), enginetest.Runc(t), l, image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	code, err := c.Wait(time.Minute)
	if code != 0 || err != nil || c.Output() != "hello from a model\n" {
		t.Errorf("it exits with %d, %v:\n%s", code, err, c.Output())
	}
	again, err := build(t.Context(), dir, lamina.Build{Outputs: []output.Output{out}})
	if err != nil || again.Manifest != made.Manifest {
		t.Errorf("a second build makes %s, %v, the first made %s", again.Manifest, err, made.Manifest)
	}
	if got := bySpec(t, dir, out); got != made.Manifest {
		t.Errorf("a spec in Go makes %s, the same as TOML %s", got, made.Manifest)
	}
}

// bySpec builds from a value that equals image.toml, without the file.
func bySpec(t *testing.T, dir string, out output.Output) digest.Digest {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "image.toml")); err != nil {
		t.Fatal(err)
	}
	p, err := lamina.New(dir, spec.Spec{
		Name: "hello", Debian: spec.Debian{Packages: []string{"libc6"}}, Builder: spec.Builder{Packages: []string{"gcc", "libc6-dev"}},
		Models: []spec.Model{{From: "dir:model", Path: "/models/hello"}},
	}, lamina.Options{Env: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.Build(t.Context(), lamina.Build{Draw: draw, Outputs: []output.Output{out}})
	if err = errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	return made.Manifest
}
