package models

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/imagetest"
)

// entries returns the entries of layer n in a layout of models.
func entries(t *testing.T, dir string, n int) []imagetest.Entry {
	t.Helper()
	l, err := layout.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tags, _ := l.Tags()
	image, err := l.Read(t.Context(), tags[0])
	if err != nil {
		t.Fatal(err)
	}
	list, err := imagetest.Entries(t.Context(), l.Store(), image.Layers()[n])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func diffLayers(t *testing.T, a, b string, n int) string {
	t.Helper()
	return cmp.Diff(entries(t, a, n), entries(t, b, n))
}
