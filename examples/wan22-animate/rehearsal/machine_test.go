package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/test/container"
	"lamina.build/internal/test/enginetest"
)

// machine unpacks a variant. Without root it skips the test.
func (s *setting) machine(t *testing.T, variant string) *container.Machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start containers with a user of their own")
	}
	l, image := s.image(t, variant)
	m, err := container.New(t.Context(), enginetest.Runc(t), l, image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// started returns a function that removes a container after the test.
func started(t *testing.T) func(c *container.Container, err error) *container.Container {
	return func(c *container.Container, err error) *container.Container {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Remove)
		return c
	}
}

// wait returns the exit code.
func wait(t *testing.T, c *container.Container) int {
	t.Helper()
	code, err := c.Wait(time.Minute)
	if err != nil {
		t.Fatalf("%v:\n%s", err, c.Output())
	}
	return code
}

// service is the worker of a load-balancing endpoint in a test.
type service struct {
	*world.Worker

	t *testing.T
}

func serve(t *testing.T, m *container.Machine, env ...string) service {
	t.Helper()
	w, err := world.Serve(t.Context(), m, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Remove)
	return service{w, t}
}

// ping waits until /ping answers with a status.
func (s service) ping(want int, most time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), most)
	defer cancel()
	if _, err := s.Ping(ctx, want); err != nil {
		s.t.Fatalf("%v:\n%s", err, s.Output())
	}
}

// run sends a job.
func (s service) run(film []byte, more map[string]any) world.Reply {
	s.t.Helper()
	r, err := s.Run(s.t.Context(), film, more)
	if err != nil {
		s.t.Fatalf("%v:\n%s", err, s.Output())
	}
	return r
}

// holdsNoFiles checks that jobs left no files.
func holdsNoFiles(t *testing.T, m *container.Machine) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(m.Root, "tmp", "processing"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, one := range left {
		t.Errorf("a job has left /tmp/processing/%s", one.Name())
	}
}
