package lamina

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/output"
)

// Made is an image that was built, and its outputs.
type Made struct {
	Name     string // of the spec
	Variant  string
	Platform string // "linux/amd64"; for an index "linux/amd64,linux/arm64"

	Descriptor ocispec.Descriptor // what a tag points at: the manifest, or an index around it
	Manifest   digest.Digest      // of the platform's manifest: the reproducible digest; "" if no output can be read again
	Config     digest.Digest      // of the image's config, which is its ID
	Layers     []Layer            // bottom first; none without Manifest

	// Images are the images of an index, one for each platform, all of them in Saved. Manifest
	// is then the index's, and the fields that Images have are empty in it.
	Images []Made

	LeftOut []string  // optional content that is not in it, with the reason
	Pruned  []Pruned  // what was left out of wheels; this and the next two as far as builds on this machine ran the steps
	Removed []Removed // keys and ids that packages had made for one machine
	Notes   []string  // harmless findings of the checks of layers and libraries

	CacheProblems []string // caches that could not be exported, with the reason

	Saved    []Saved       // the outputs
	Attached []Attached    // its referrers there, without the documents
	Engine   string        // "BuildKit v0.34.2"
	Lock     digest.Digest // of the image.lock as written
	Took     time.Duration

	Snapshotter string // of the engine: "overlayfs"; "" for an index, or if the engine doesn't say
}

// together returns the image, or an index of several.
func together(images []Made, index ocispec.Descriptor) Made {
	if len(images) == 1 {
		return images[0]
	}
	made := Made{Name: images[0].Name, Variant: images[0].Variant, Descriptor: index, Manifest: index.Digest, Lock: images[0].Lock, Images: images}
	var on, engines []string
	for _, one := range images {
		on, engines = append(on, one.Platform), append(engines, one.Engine)
		made.CacheProblems = append(made.CacheProblems, one.CacheProblems...)
	}
	made.Platform, made.Engine = strings.Join(on, ","), strings.Join(slices.Compact(engines), ", ")
	return made
}

// each returns the images, one for each platform.
func (m Made) each() []Made {
	if len(m.Images) > 0 {
		return m.Images
	}
	return []Made{m}
}

// Layer is one layer of an image as it is stored.
type Layer struct {
	Stage     string        `json:"stage,omitempty"` // that drew it: "runtime", "wheels", "model", "app"
	What      string        `json:"what,omitempty"`  // its content: "118 Debian packages"
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"` // bytes as stored
}

// Pruned is what a rule left out of an image.
type Pruned struct {
	Rule  string `json:"rule"` // a glob: "**/*.a"
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Removed is a file that was removed from an image or emptied, since all containers would share it.
type Removed struct {
	Kind string `json:"kind"` // "ssh host key", "machine-id"
	Path string `json:"path"`
}

// Saved is an output with all fields filled in: its directory or file, and the image's
// tag there.
type Saved struct {
	output.Output
	Tag      string        // in a layout: "production"
	Manifest digest.Digest // of the image there: that of Made if it has the same compression; "" if it can't be read again
}

// byLamina begins the history entries of our images.
const byLamina = "lamina "

// layersOf pairs the layers of a manifest with the history of the image's config. A
// history that doesn't match leaves them unnamed.
func layersOf(manifest ocispec.Manifest, config ocispec.Image) []Layer {
	history := slices.DeleteFunc(slices.Clone(config.History), func(h ocispec.History) bool { return h.EmptyLayer })
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

// ID returns the image's ID in docker: the digest of its config, or of the index itself.
func (m Made) ID() digest.Digest {
	if len(m.Images) > 0 {
		return m.Descriptor.Digest
	}
	return m.Config
}

// Size returns the size of the layers as stored, in bytes: what a first pull downloads.
func (m Made) Size() (size int64) {
	for _, l := range m.Layers {
		size += l.Size
	}
	return size
}

// Names returns all names of the image, each once.
func (m Made) Names() (names []string) {
	for _, s := range m.Saved {
		for _, name := range s.Names {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Metadata returns the content of --metadata-file, as JSON. It has the keys of docker
// buildx; Lamina's own keys begin with "lamina.".
func (m Made) Metadata() ([]byte, error) {
	values := map[string]any{
		"lamina.variant":  m.Variant,
		"lamina.platform": m.Platform,
		"lamina.seconds":  m.Took.Seconds(),
	}
	add := func(key, value string) {
		if value != "" {
			values[key] = value
		}
	}
	add("containerimage.digest", m.Descriptor.Digest.String())
	add("containerimage.config.digest", m.Config.String())
	add("image.name", strings.Join(m.Names(), ","))
	add("lamina.manifest.digest", m.Manifest.String())
	add("lamina.engine", m.Engine)
	add("lamina.lock.digest", m.Lock.String())
	if m.Descriptor.Digest != "" {
		values["containerimage.descriptor"] = m.Descriptor
	}
	if len(m.Layers) > 0 {
		values["lamina.layers"], values["lamina.size"] = m.Layers, m.Size()
	}
	if len(m.Images) > 0 {
		each := map[string]json.RawMessage{}
		for _, one := range m.Images {
			text, err := one.Metadata()
			if err != nil {
				return nil, err
			}
			each[one.Platform] = text
		}
		values["lamina.platforms"] = each
	}
	if len(m.LeftOut) > 0 {
		values["lamina.left-out"] = m.LeftOut
	}
	if len(m.Attached) > 0 {
		values["lamina.attached"] = m.Attached
	}
	if len(m.CacheProblems) > 0 {
		values["lamina.cache-problems"] = m.CacheProblems
	}
	if len(m.Pruned) > 0 {
		values["lamina.pruned"] = m.Pruned
	}
	if len(m.Removed) > 0 {
		values["lamina.removed"] = m.Removed
	}
	if len(m.Notes) > 0 {
		values["lamina.notes"] = m.Notes
	}
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the metadata: %w", err)
	}
	return append(text, '\n'), nil
}
