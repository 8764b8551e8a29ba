package lamina

import (
	"strings"
	"testing"

	"lamina.build/internal/vendorstore"
	"lamina.build/internal/weights"
	"lamina.build/spec"
)

// A mirror that has all locked models is used for them, next to models of directories.
func TestVendoredModels(t *testing.T) {
	p, l := claimed(t, "", "")
	s := spec.Spec{Weights: spec.WeightsLayers, Models: []spec.Model{{From: "dir:w", Path: "/w"}, {From: "hf://org/one@main", Path: "/m"}, {From: "dir:v", Path: "/v"}}}
	data := []byte(strings.Repeat("x", 100))
	m := &l.Models[0]
	m.Files[0].SHA256, m.Layers = sum(data), nil
	m.Digest = weights.Digest(*m).String()
	work, err := weights.NewJob(*m)
	if err != nil {
		t.Fatal(err)
	}
	work.Source = pattern{data}
	vendor, err := vendorstore.Make(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer vendor.Close()
	for _, want := range []bool{false, true} {
		if want {
			if _, err = weights.Pull(t.Context(), weights.PullOptions{Job: work, Dir: vendor.Layout().Dir(), Tag: work.LayoutTag()}); err != nil {
				t.Fatal(err)
			}
		}
		j := job{Project: p, spec: s, lock: l, vendor: vendor}
		if err = j.findVendored(t.Context()); err != nil || (j.models != nil) != want || j.unpublished != want {
			t.Errorf("used %t, want %t, %v", j.models != nil, want, err)
		}
	}
}
