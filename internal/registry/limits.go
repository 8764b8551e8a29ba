package registry

import (
	"fmt"
	"math"
	"path"
	"strings"
	"time"

	"lamina.build/internal/humanize"
)

// Limits are a registry's known limits. A field's zero value is a limit that was never
// published.
type Limits struct {
	Name     string        // its common name; the host of an unknown registry
	Layer    int64         // maximum bytes of a layer
	Upload   time.Duration // maximum duration of a layer's upload
	Chunk    int64         // maximum bytes of a chunk
	NoChunks bool          // chunks can't be used, or not resumed
}

// LimitsOf returns the known limits of the registry at a host, which may have a
// port.
func LimitsOf(host string) Limits {
	bare, _, _ := strings.Cut(host, ":")
	for _, known := range knownRegistries() {
		for _, pattern := range known.hosts {
			if ok, err := path.Match(pattern, bare); ok && err == nil {
				return known.Limits
			}
		}
	}
	return Limits{Name: host}
}

// With overrides the limits: layer, if positive, is the maximum size of a layer, and off
// turns all checks off.
func (l Limits) With(layer int64, off bool) Limits {
	if layer > 0 {
		l.Layer = layer
	}
	if off {
		l.Layer, l.Upload = 0, 0
	}
	return l
}

type knownRegistry struct {
	hosts []string // patterns as of [path.Match]
	Limits
}

// knownRegistries is a function so that nobody can modify its result.
func knownRegistries() []knownRegistry {
	const mib = 1 << 20
	return []knownRegistry{
		// No limit is published; pushes of large layers got 504
		// (https://github.com/docker/buildx/issues/1315).
		{[]string{"docker.io", "index.docker.io", "registry-1.docker.io"}, Limits{Name: "Docker Hub"}},

		// "10 GB size limit for each layer", "10 minute timeout limit for uploads":
		// https://docs.github.com/en/packages/working-with-a-github-packages-registry/working-with-the-container-registry#troubleshooting.
		// Which GB is not documented: the smaller. Chunks of more than 4 MiB get
		// 416 (https://github.com/oras-project/rust-oci-client/pull/37).
		{[]string{"ghcr.io"}, Limits{Name: "ghcr.io", Layer: 10e9, Upload: 10 * time.Minute, Chunk: 4 * mib}},

		// 52,000 MiB a layer: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
		// The 4,200 parts of 10 MiB on the same page are for Amazon's own API. The
		// range of an upload stays at its first chunk
		// (https://github.com/aws/containers-roadmap/issues/2831) and its status is
		// 404 (https://github.com/dotnet/sdk/pull/33019): it can't be resumed.
		{
			[]string{"*.dkr.ecr.*.amazonaws.com", "*.dkr.ecr-fips.*.amazonaws.com", "*.dkr.ecr.*.amazonaws.com.cn"},
			Limits{Name: "Amazon ECR", Layer: 52_000 * mib, NoChunks: true},
		},

		// https://docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html
		{[]string{"public.ecr.aws"}, Limits{Name: "Amazon ECR Public", Layer: 10_000 * mib, NoChunks: true}},

		// "Artifact Registry does not support Docker chunked uploads", said
		// https://cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling
		// (quoted in https://github.com/dotnet/sdk-container-builds/pull/287). No
		// layer limit: https://cloud.google.com/artifact-registry/quotas.
		{[]string{"*.pkg.dev", "gcr.io", "*.gcr.io"}, Limits{Name: "Google Artifact Registry", NoChunks: true}},

		// https://learn.microsoft.com/azure/container-registry/container-registry-skus
		{[]string{"*.azurecr.io"}, Limits{Name: "Azure Container Registry", Layer: 200 << 30}},
	}
}

// LayerError is a layer that exceeds the registry's limit.
type LayerError struct {
	Registry string
	Layer    string // its content, as the user knows it
	Bytes    int64
	Most     int64 // bytes
}

func (e *LayerError) Error() string {
	return fmt.Sprintf("layer %q has %s: %s accepts %s at most", e.Layer, humanize.Size(e.Bytes), e.Registry, humanize.Size(e.Most))
}

// Hint returns what would help and what would not: weights hardly compress, 0.03 %
// was measured on bf16.
func (e *LayerError) Hint() string {
	saving := math.Ceil((1 - float64(e.Most)/float64(e.Bytes)) * 100)
	return fmt.Sprintf("publish to a registry that accepts it, or leave the file out of the image and download it at run time; "+
		"zstd would have to save %.0f %%, and weights usually save less than 1 %%", saving)
}

// SlowError is a layer whose upload would exceed the registry's time limit at the
// current rate. It is an estimate.
type SlowError struct {
	Registry string
	Layer    string
	Takes    time.Duration
	Most     time.Duration
}

func (e *SlowError) Error() string {
	return fmt.Sprintf("layer %q takes %.0f min to upload at this rate: %s ends an upload after %.0f min",
		e.Layer, math.Ceil(e.Takes.Minutes()), e.Registry, math.Ceil(e.Most.Minutes()))
}

// Hint returns what would help.
func (e *SlowError) Hint() string {
	return "publish from a machine with a faster connection, or to a registry without such a limit"
}

// Check compares a layer with the limits before it is sent; its error is a [*LayerError]
// or a [*SlowError]. rate is that of one upload in bytes per second, zero if unknown.
func (l Limits) Check(layer string, bytes, rate int64) error {
	if l.Layer > 0 && bytes > l.Layer {
		return &LayerError{l.Name, layer, bytes, l.Layer}
	}
	if rate <= 0 || l.Upload == 0 {
		return nil
	}
	if takes := time.Duration(float64(bytes) / float64(rate) * float64(time.Second)); takes > l.Upload {
		return &SlowError{l.Name, layer, takes, l.Upload}
	}
	return nil
}
