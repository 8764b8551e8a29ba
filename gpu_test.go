package lamina

import (
	"slices"
	"testing"
)

func TestGPUsOfAnEngine(t *testing.T) {
	for _, tt := range []struct{ devices, want []string }{
		{nil, nil},
		{[]string{"vendor.com/gpu=all", "nvidia.com/nic=0"}, nil},
		{[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=all", "nvidia.com/gpu=1"}, []string{"nvidia.com/gpu=all"}},
		{[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=0"}, []string{"nvidia.com/gpu=0", "nvidia.com/gpu=1"}},
	} {
		if got := gpusOf(tt.devices); !slices.Equal(got, tt.want) {
			t.Errorf("of %q: %q, want %q", tt.devices, got, tt.want)
		}
	}
}
