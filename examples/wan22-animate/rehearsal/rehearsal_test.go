package main

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/imagetest"
)

var variants = []string{"production", "minimal", "debug"}

// The three variants, built as a user builds them, keep the example's promises.
func TestRealRehearsal(t *testing.T) {
	s := newSetting(t)
	start := time.Now()
	for _, variant := range variants {
		s.Build(t, s.dir, "--variant", variant)
	}
	t.Logf("locked and built %v in %s", variants, time.Since(start).Round(time.Second/10))

	t.Run("share their layers", s.testSharing)
	t.Run("build again at once", s.testWarm)
	t.Run("have true stand-ins", s.testStandIns)
	t.Run("run jobs", s.testJobs)
	t.Run("are rehearsed by the command", s.testCommand)
	t.Run("come for Blackwell", func(t *testing.T) { s.Build(t, s.dir, "--variant", "blackwell") })
	t.Run("change the app", s.testChange) // the last: it builds production again
}

// Variants share the layers of their common parts, and together are little larger than
// the largest of them.
func (s *setting) testSharing(t *testing.T) {
	production, minimal, debug := s.sizes(t, "production"), s.sizes(t, "minimal"), s.sizes(t, "debug")
	for d := range minimal {
		if _, ok := production[d]; !ok {
			t.Errorf("minimal has layer %s, production doesn't", d)
		}
	}
	for d := range production {
		if _, ok := debug[d]; !ok {
			t.Errorf("production has layer %s, debug doesn't", d)
		}
	}
	if len(debug) != len(production)+1 || len(minimal) >= len(production) {
		t.Errorf("%d layers in minimal, %d in production, %d in debug", len(minimal), len(production), len(debug))
	}
	together := maps.Clone(debug)
	maps.Copy(together, production)
	maps.Copy(together, minimal)
	if all, most := sum(together), max(sum(production), sum(minimal), sum(debug)); all*10 > most*11 {
		t.Errorf("%d bytes together, %d in the largest: more than 1.1 times", all, most)
	}
	for _, variant := range variants {
		l, image := s.image(t, variant)
		if err := imagetest.Verify(t.Context(), l.Store(), image.Desc); err != nil {
			t.Errorf("verifying %s:\n%v", variant, err)
		}
	}
}

func (s *setting) testWarm(t *testing.T) {
	start := time.Now()
	for _, variant := range variants {
		r := s.Build(t, s.dir, "--variant", variant, "--progress", "rawjson")
		if ran, cached := e2etest.Execs(r.Stderr); len(ran) > 0 || len(cached) == 0 {
			t.Errorf("%s: ran %q again, and %d steps were cached", variant, ran, len(cached))
		}
	}
	t.Logf("built %v again in %s", variants, time.Since(start).Round(time.Second/10))
}

// A change of the app changes one layer, which is small.
func (s *setting) testChange(t *testing.T) {
	before := s.sizes(t, "production")
	e2etest.Write(t, filepath.Join(s.dir, "app", "note.txt"), []byte("changed\n"))
	s.Build(t, s.dir)
	moved := s.sizes(t, "production")
	maps.DeleteFunc(moved, func(d digest.Digest, _ int64) bool { return before[d] != 0 })
	if sizes := slices.Collect(maps.Values(moved)); len(sizes) != 1 || sizes[0] >= 1_000_000 {
		t.Errorf("layers of %v bytes changed, want one of less than a megabyte", sizes)
	}
}
