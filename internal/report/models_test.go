package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build"

	"lamina.build/lock"
)

func TestModels(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	list := []lamina.ListedModel{
		{
			Name: "org/one", From: "hf://org/one@main", Commit: strings.Repeat("c", 40), Path: "/models/one", Size: 11_360_000_500, Published: "r.example/w@sha256:x",
			Layers: []lamina.ListedLayer{
				{Name: "t5.safetensors", Size: 11_360_001_000, Files: []lamina.ListedFile{{Path: "/models/one/t5.safetensors", Size: 11_360_000_000, SHA256: hash}}},
				{Name: "2 files", Size: 2048, Files: []lamina.ListedFile{{Path: "/models/one/a", Size: 499, SHA256: hash}, {Path: "/models/one/b", Size: 1, SHA256: hash}}},
			},
		},
		{Name: "list", From: "https://w.example/SHA256SUMS", Path: "/m", Layout: "/cache/models"},
	}
	want := `org/one  11.36 GB in 2 layers
  from       hf://org/one@main
  commit     ` + strings.Repeat("c", 40) + `
  in image   /models/one
  published  r.example/w@sha256:x
  layout     nowhere
    11.36 GB  t5.safetensors
      11.36 GB  abababababab  /models/one/t5.safetensors
      2.0 kB  2 files
         499 B  abababababab  /models/one/a
           1 B  abababababab  /models/one/b
list  0 B in 0 layers
  from       https://w.example/SHA256SUMS
  in image   /m
  published  nowhere
  layout     /cache/models
`
	if diff := cmp.Diff(want, Models(list, true)); diff != "" {
		t.Errorf("with files (-want +got):\n%s", diff)
	}
	if short := Models(list, false); strings.Contains(short, "abab") || !strings.Contains(short, "2.0 kB  2 files") {
		t.Errorf("without files:\n%s", short)
	}
	if got := Models(nil, true); got != "no model is locked\n" {
		t.Errorf("without models: %q", got)
	}
}

func TestMoved(t *testing.T) {
	m := lamina.Moved{Layers: 3, Model: lock.Model{Files: []lock.ModelFile{{Size: 1500}, {Size: 500}}}}
	if got := moved(m); got != "3 layers, 2.0 kB" {
		t.Errorf("got %q", got)
	}
}
