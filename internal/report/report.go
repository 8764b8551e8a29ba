// Package report tells what a build made: as text for people, and as JSON with
// the keys of docker buildx and Lamina's own beside them. It takes plain values
// and writes text; reading an image from disk or registry is not its work.
package report

import (
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/output"
)

// Image is an image that was built and where it went.
type Image struct {
	Name     string // of the spec
	Variant  string
	Platform string // "linux/amd64"

	Descriptor ocispec.Descriptor // what a tag points at: the manifest, or an index around it
	Manifest   digest.Digest      // of the platform's manifest: the digest that is reproducible
	Config     digest.Digest
	Layers     []Layer // bottom first

	LeftOut []string // what was optional and is not in it, with the reason
	Pruned  []Pruned // what wheels were installed without, of those that were installed now

	Saved  []Saved
	Engine string        // "BuildKit v0.34.2"
	Lock   digest.Digest // of the image.lock as written
	Took   time.Duration
}

// Layer is one layer of an image as it is stored.
type Layer struct {
	Stage     string        `json:"stage,omitempty"` // what drew it: "runtime", "wheels", "model", "app"
	What      string        `json:"what,omitempty"`  // what is in it: "118 Debian packages"
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"` // bytes as stored
}

// Pruned is what a rule kept out of the image.
type Pruned struct {
	Rule  string `json:"rule"` // a glob: "**/*.a"
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Saved is an output with all of its blanks filled in: its folder or file, and
// the tag it has there.
type Saved struct {
	output.Output
	Tag string // in a layout: "production"
}

// byLamina is what the history entries of our images begin with.
const byLamina = "lamina "

// Layers pairs the layers of a manifest with what the history of the image's
// config says about them. A history that doesn't fit leaves them unnamed.
func Layers(manifest ocispec.Manifest, config ocispec.Image) []Layer {
	var history []ocispec.History
	for _, h := range config.History {
		if !h.EmptyLayer {
			history = append(history, h)
		}
	}
	layers := make([]Layer, len(manifest.Layers))
	for i, d := range manifest.Layers {
		layers[i] = Layer{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size}
		if len(history) == len(layers) {
			layers[i].Stage, _ = strings.CutPrefix(history[i].CreatedBy, byLamina)
			layers[i].What = history[i].Comment
		}
	}
	return layers
}

// Size is what the layers weigh as stored, in bytes: what a first pull moves.
func (i Image) Size() int64 {
	var size int64
	for _, l := range i.Layers {
		size += l.Size
	}
	return size
}

// names are all names that the image was given, each once.
func (i Image) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range i.Saved {
		for _, name := range s.Names {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}
