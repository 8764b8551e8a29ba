package lamina

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/spec"
)

// labels returns the labels of the spec and those of the build, which win.
func (j job) labels() map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, j.spec.App.Labels)
	maps.Copy(labels, j.Labels)
	return labels
}

func healthcheck(h spec.Healthcheck) *dockerspec.HealthcheckConfig {
	if len(h.Test) == 0 {
		return nil
	}
	return &dockerspec.HealthcheckConfig{
		Test: h.Test, Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout),
		StartPeriod: time.Duration(h.StartPeriod), StartInterval: time.Duration(h.StartInterval), Retries: h.Retries,
	}
}

// parsePlatform parses a platform as docker buildx does.
func parsePlatform(text string) (ocispec.Platform, error) {
	if text == "local" {
		text = "linux/" + platforms.DefaultSpec().Architecture
	}
	p, err := platforms.Parse(text)
	if err != nil {
		return p, fmt.Errorf("platform %q: %w", text, err)
	}
	return platforms.Normalize(p), nil
}

// choosePlatforms fills in the platforms of the spec that the build requests, by default
// all, and normalises those of annotations.
func (j *job) choosePlatforms() error {
	var problems []error
	find := func(among []string, text string) (name string, err error) {
		p, err := parsePlatform(text)
		if name = platforms.Format(p); err == nil && !slices.Contains(among, name) {
			err = fmt.Errorf("platform %q: the image is for %s", name, strings.Join(among, ", "))
		}
		return name, err
	}
	var chosen []string
	for _, text := range j.Platforms {
		name, err := find(j.spec.Platforms, text)
		if err != nil {
			problems = append(problems, err)
		} else if !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	if len(j.Platforms) == 0 {
		chosen = j.spec.Platforms
	}
	j.Platforms = slices.DeleteFunc(slices.Clone(j.spec.Platforms), func(name string) bool { return !slices.Contains(chosen, name) })
	j.Outputs = slices.Clone(j.Outputs)
	for i := range j.Outputs {
		notes := slices.Clone(j.Outputs[i].Annotations)
		for k := range notes {
			a := &notes[k]
			if a.Index && len(j.Platforms) == 1 {
				problems = append(problems, fmt.Errorf("annotation %q: an image of one platform has no index; annotate its manifest, or the manifest-descriptor", *a))
			}
			if a.Platform != "" {
				name, err := find(j.Platforms, a.Platform)
				if err != nil {
					problems = append(problems, fmt.Errorf("annotation %q: %w", *a, err))
				}
				a.Platform = name
			}
		}
		j.Outputs[i].Annotations = notes
	}
	return failure.WithHint(failure.New(failure.Usage, errors.Join(problems...)),
		"set its platforms at the top of "+SpecName+`: platform = ["linux/amd64", "linux/arm64"]`)
}
