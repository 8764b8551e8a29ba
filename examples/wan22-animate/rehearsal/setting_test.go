package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/debian"
	"lamina.build/internal/layout"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// setting is a world, the example in it, and a user.
type setting struct {
	*e2etest.User

	world *world.World
	dir   string // of the project
}

func newSetting(t *testing.T) *setting {
	t.Helper()
	s := &setting{User: e2etest.NewUser(t), dir: filepath.Join(t.TempDir(), "wan22-animate")}
	s.world = world.New(t, world.Options{
		Example: os.DirFS(filepath.Join(e2etest.Root(t), "examples", "wan22-animate")),
		Getter:  debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files")),
		Mirrors: testworld.RealMirrors(t),
	})
	if err := s.world.Project(s.dir); err != nil {
		t.Fatal(err)
	}
	s.Env = s.world.Env()
	return s
}

// image opens a variant in dist/.
func (s *setting) image(t *testing.T, variant string) (*layout.Layout, layout.Image) {
	t.Helper()
	l, err := layout.Open(t.Context(), filepath.Join(s.Dir, "dist", "wan22-animate"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	image, err := l.Read(t.Context(), variant)
	if err != nil {
		t.Fatal(err)
	}
	return l, image
}

// sizes returns the sizes of a variant's layers.
func (s *setting) sizes(t *testing.T, variant string) map[digest.Digest]int64 {
	t.Helper()
	_, image := s.image(t, variant)
	all := map[digest.Digest]int64{}
	for _, d := range image.Layers() {
		all[d.Digest] = d.Size
	}
	return all
}

func sum(sizes map[digest.Digest]int64) int64 {
	var all int64
	for _, n := range sizes {
		all += n
	}
	return all
}

// wantedBytes returns the size of the weights that the variant without any fetches.
func (s *setting) wantedBytes(t *testing.T) (size int64) {
	t.Helper()
	for _, m := range e2etest.ReadLock(t, s.dir).Models {
		if m.Path != "/models/distillation-lora" { // of the variant fast
			size += m.Size()
		}
	}
	return size
}
