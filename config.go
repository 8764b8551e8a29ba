package lamina

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/containerd/platforms"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/spec"
)

// labels are those of the spec, and those of the build, which win.
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

// parsePlatform reads a platform as docker buildx does.
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

// checkPlatforms finds out that the build wants an image for another platform than the
// spec's is for.
func (j job) checkPlatforms() error {
	is := platforms.Format(platforms.Normalize(j.platform()))
	var faults []error
	check := func(of, text string) {
		p, err := parsePlatform(text)
		if wanted := platforms.Format(p); err == nil && wanted != is {
			err = fmt.Errorf("platform %q: the image is for %s", wanted, is)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%w", of, err))
		}
	}
	if j.Platform != "" {
		check("", j.Platform)
	}
	for _, o := range j.Outputs {
		for _, a := range o.Annotations {
			if a.Platform != "" {
				check(fmt.Sprintf("annotation %q: ", a), a.Platform)
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return failure.WithHint(failure.New(failure.Usage, errors.Join(faults...)),
		"a spec is for one platform, with a lock of its own: what platform says at the top of its "+SpecName)
}
