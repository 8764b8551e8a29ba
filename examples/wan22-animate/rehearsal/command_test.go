package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// The command does by itself what the tests do, and refuses other projects. It runs in
// the tests' world, where the engine already has most of what it builds. The environment
// stays, since Go's cache would move with XDG_CACHE_HOME and the command be compiled again.
func (s *setting) testCommand(t *testing.T) {
	var out strings.Builder
	r := rehearsal{
		example: "..", variants: []string{"minimal", "checked"}, keep: filepath.Join(t.TempDir(), "kept"), out: &out, world: s.world,
		cache: s.Cache, env: []string{"XDG_CACHE_HOME=" + s.Cache, "BUILDKIT_HOST=" + s.Addr},
	}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^minimal +12 .* s of film, .*\nchecked +16 .* s of film`).MatchString(out.String()) {
		t.Errorf("printed\n%s", out.String())
	}
	if l := e2etest.ReadLock(t, r.project()); len(l.Models) != 5 || len(l.Distributions) < 100 {
		t.Errorf("the lock has %d models and %d distributions", len(l.Models), len(l.Distributions))
	}
	other := rehearsal{example: filepath.Join(e2etest.Root(t), "examples", "faceblend"), variants: []string{"production"}}
	if err := other.run(t.Context()); err == nil || !strings.Contains(err.Error(), "image.toml names no revision of a model of a hub") {
		t.Errorf("another project: %v", err)
	}
}
