package lamina

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/cache"
	"lamina.build/lock"
	"lamina.build/spec"
)

// Each variant and platform has its own cache, and the caller's value is unchanged.
func TestRemoteCachesOfAVariant(t *testing.T) {
	given := cache.Remote{
		Imports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r.example/a"}}, {Type: "registry", Attrs: map[string]string{"ref": "r.example/a:mine"}}},
		Exports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r.example/a", "mode": "max"}}, {Type: "inline"}, {Type: "s3", Attrs: map[string]string{"bucket": "b"}}},
	}
	vars := map[string]string{"AWS_REGION": "here"}
	p := &Project{host: &host{o: Options{Env: func(name string) string { return vars[name] }}}}
	j := job{Project: p, Build: Build{Cache: given}, on: "linux/arm64", spec: spec.Spec{Variant: "debug"}}
	want := cache.Remote{
		Imports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r.example/a:cache-debug-linux-arm64"}}, given.Imports[1]},
		Exports: []cache.Entry{
			{Type: "registry", Attrs: map[string]string{"ref": "r.example/a:cache-debug-linux-arm64", "mode": "max"}},
			{Type: "inline"},
			{Type: "s3", Attrs: map[string]string{"bucket": "b", "name": "cache-debug-linux-arm64", "region": "here"}},
		},
	}
	if diff := cmp.Diff(want, j.remote()); diff != "" {
		t.Errorf("caches (-want +got):\n%s", diff)
	}
	if given.Imports[0].Attrs["ref"] != "r.example/a" {
		t.Error("the caller's own was changed")
	}
}

func TestHasWeights(t *testing.T) {
	model := []spec.Model{{From: "dir:w"}}
	for _, tt := range []struct {
		s    spec.Spec
		want bool
	}{
		{spec.Spec{Models: model, Weights: spec.WeightsLayers}, true},
		{spec.Spec{Models: model, Weights: spec.WeightsNone}, false},
		{spec.Spec{Weights: spec.WeightsLayers}, false},
	} {
		if got := (job{spec: tt.s}).hasWeights(); got != tt.want {
			t.Errorf("%+v: hasWeights is %t", tt.s, got)
		}
	}
}

// Optional content that is not in the image is listed with the reason.
func TestLeftOut(t *testing.T) {
	j := job{spec: spec.Spec{Variant: "production"}}
	j.lock.Omitted = []lock.Omission{{Set: lock.ParseSet("python"), Requirement: "flash-attn", Reason: "no file fits"}}
	j.lock.Python = []lock.PythonRequest{{Set: lock.ParseSet("python")}}
	want := []string{"flash-attn: no file fits", "apex: it could not be built"}
	if diff := cmp.Diff(want, j.leftOut([]string{"apex"})); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestGPUsOfAnEngine(t *testing.T) {
	for _, tt := range []struct{ devices, want []string }{
		{nil, nil},
		{[]string{"vendor.com/gpu=all", "nvidia.com/nic=0"}, nil},
		{[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=all", "nvidia.com/gpu=1"}, []string{"nvidia.com/gpu=all"}},
		{[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=0"}, []string{"nvidia.com/gpu=0", "nvidia.com/gpu=1"}},
	} {
		if got := gpusOf(tt.devices); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.devices, got, tt.want)
		}
	}
}
