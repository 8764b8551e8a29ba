package lamina

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/output"
	"lamina.build/spec"
)

func TestChoosePlatforms(t *testing.T) {
	both := []string{"linux/arm64", "linux/amd64"}
	for _, tt := range []struct {
		spec, wanted []string
		note         string
		want         []string // with note, the last is the annotation's
		problem      string
	}{
		{both, nil, "", both, ""},
		{both, []string{"amd64", "linux/arm64/v8"}, "", both, ""}, // as the spec orders them
		{both, []string{"linux/amd64", "x86_64"}, "aarch64", nil, `annotation "manifest[aarch64]:a=b": platform "linux/arm64": the image is for linux/amd64`},
		{both, []string{"linux/arm64"}, "aarch64", []string{"linux/arm64", "linux/arm64"}, ""},
		{both[:1], []string{"linux/amd64", "s390x"}, "", nil, "platform \"linux/amd64\": the image is for linux/arm64\nplatform \"linux/s390x\": the image is for linux/arm64"},
	} {
		notes := []output.Annotation{{Key: "a", Value: "b", Platform: tt.note}}
		given := []output.Output{{Type: output.OCI, Annotations: notes}}
		j := job{Build: Build{Platforms: tt.wanted, Outputs: given}, spec: spec.Spec{Platforms: tt.spec}}
		err := j.choosePlatforms()
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) || failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1 {
				t.Errorf("%v of %v: got %v, want %s", tt.wanted, tt.spec, err, tt.problem)
			}
			continue
		}
		got := j.Platforms
		if tt.note != "" {
			got = append(got, j.Outputs[0].Annotations[0].Platform)
		}
		if err != nil || !cmp.Equal(got, tt.want) || notes[0].Platform != tt.note {
			t.Errorf("%v of %v: got %v, %v", tt.wanted, tt.spec, got, err)
		}
	}
}
