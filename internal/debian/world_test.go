package debian_test

import (
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/fetch"
	"lamina.build/internal/test/testworld"
)

// getter returns a Getter with short timeouts.
func getter(t *testing.T) *debian.Getter {
	t.Helper()
	g := debian.NewGetter(t.TempDir())
	g.HTTP = fetch.New(fetch.Options{Wait: time.Millisecond, Stall: 200 * time.Millisecond})
	return g
}

// source returns a client's settings for the repository of a test.
func source(t *testing.T, d *testworld.Debian) (debian.Mirrors, debian.Source) {
	t.Helper()
	keys, err := debian.ParseKeys("key.asc", d.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := debian.Source{Repository: "debian", Suite: d.Suite, Components: d.Components, Keys: keys}
	if d.Flat {
		s.Suite, s.Components = "./", nil
	}
	return debian.Mirrors{"debian": d.URL}, s
}

func silent(string) {}

// index reads the whole repository.
func index(t *testing.T, g *debian.Getter, d *testworld.Debian) (*debian.Index, error) {
	t.Helper()
	m, s := source(t, d)
	r, err := g.Release(t.Context(), m, s, time.Now(), silent)
	if err != nil {
		return nil, err
	}
	files, err := g.Packages(t.Context(), m, &r, s.Components, "amd64")
	if err != nil {
		return nil, err
	}
	return debian.NewIndex(t.Context(), files)
}
