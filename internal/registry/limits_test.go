package registry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

func TestLimitsOf(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]registry.Limits{
		"index.docker.io": {Name: "Docker Hub"},
		"ghcr.io":         {Name: "ghcr.io", Layer: 10_000_000_000, Upload: 10 * time.Minute, Chunk: 4 << 20},
		"ghcr.io:443":     {Name: "ghcr.io", Layer: 10_000_000_000, Upload: 10 * time.Minute, Chunk: 4 << 20},
		"012345678901.dkr.ecr.eu-west-1.amazonaws.com":     {Name: "Amazon ECR", Layer: 54_525_952_000, NoChunks: true},
		"012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn": {Name: "Amazon ECR", Layer: 54_525_952_000, NoChunks: true},
		"public.ecr.aws":        {Name: "Amazon ECR Public", Layer: 10_485_760_000, NoChunks: true},
		"europe-docker.pkg.dev": {Name: "Google Artifact Registry", NoChunks: true},
		"eu.gcr.io":             {Name: "Google Artifact Registry", NoChunks: true},
		"acme.azurecr.io":       {Name: "Azure Container Registry", Layer: 200 << 30},
		"registry.test:5000":    {Name: "registry.test:5000"},
		"ghcr.io.evil.test":     {Name: "ghcr.io.evil.test"},
	} {
		if diff := cmp.Diff(want, registry.LimitsOf(host)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
}

// checkWan checks the layers of Wan2.2-Animate-14B that are close to a limit.
func checkWan(l registry.Limits, rate int64) (problems []error) {
	for _, err := range []error{
		l.Check("diffusion_pytorch_model-00001-of-00004.safetensors", 9_900_000_000, rate),
		l.Check("models_t5_umt5-xxl-enc-bf16.pth", 11_361_921_536, rate),
	} {
		if err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, host string
		rate       int64
		layer      int64
		off        bool
		want       []string
	}{
		{"ghcr.io", "ghcr.io", 0, 0, false, []string{
			`layer "models_t5_umt5-xxl-enc-bf16.pth" has 11.36 GB: ghcr.io accepts 10.00 GB at most`,
		}},
		{"ghcr.io, over a slow connection", "ghcr.io", 10e6, 0, false, []string{
			`layer "diffusion_pytorch_model-00001-of-00004.safetensors" takes 17 min to upload at this rate: ghcr.io ends an upload after 10 min`,
			`layer "models_t5_umt5-xxl-enc-bf16.pth" has 11.36 GB: ghcr.io accepts 10.00 GB at most`,
		}},
		{"ghcr.io, known better", "ghcr.io", 10e6, 0, true, nil},
		{"ghcr.io, raised", "ghcr.io", 100e6, 20e9, false, nil},
		{"Docker Hub", "docker.io", 1e6, 0, false, nil},
		{"Docker Hub, told", "docker.io", 0, 11e9, false, []string{
			`layer "models_t5_umt5-xxl-enc-bf16.pth" has 11.36 GB: Docker Hub accepts 11.00 GB at most`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, err := range checkWan(registry.LimitsOf(tt.host).With(tt.layer, tt.off), tt.rate) {
				got = append(got, err.Error())
				if len(failure.Hints(err)) == 0 {
					t.Errorf("%q has no hint", err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the rate, exactly the layers that it can upload in time are accepted.
func TestCheckKnowsTheTime(t *testing.T) {
	t.Parallel()
	limits := registry.Limits{Name: "hasty", Upload: 10 * time.Minute}
	for _, rate := range []int64{1, 2, 1000, 1e9} {
		if err := limits.Check("a", 600*rate, rate); err != nil {
			t.Errorf("ten minutes at %d: %v", rate, err)
		}
		err := limits.Check("a", 660*rate, rate)
		if slow, ok := errors.AsType[*registry.SlowError](err); !ok || slow.Takes != 11*time.Minute || slow.Most != 10*time.Minute {
			t.Errorf("eleven minutes at %d: got %v", rate, err)
		}
	}
	for _, unknown := range []int64{0, -1} {
		if err := limits.Check("a", 1e12, unknown); err != nil {
			t.Errorf("at an unknown rate: %v", err)
		}
	}
}

// TestHintIsHonest checks that the hint states what zstd would have to save.
func TestHintIsHonest(t *testing.T) {
	t.Parallel()
	err := errors.Join(checkWan(registry.LimitsOf("ghcr.io"), 0)...)
	if hints := strings.Join(failure.Hints(err), ""); !strings.Contains(hints, "zstd would have to save 12 %") {
		t.Errorf("got %q", hints)
	}
}
