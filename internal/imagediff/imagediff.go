// Package imagediff finds where two images differ: in which layer, file, byte or field.
package imagediff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is one of two images.
type Image struct {
	Manifest ocispec.Manifest
	Config   dockerspec.DockerOCIImage
	// Open opens a layer in its stored form.
	Open func(context.Context, ocispec.Descriptor) (io.ReadCloser, error)
}

// Difference is one difference between two images.
type Difference struct {
	Layer string `json:"layer,omitempty"` // "runtime: 118 Debian packages"; "" of the config and the manifest
	Path  string `json:"path,omitempty"`  // in the layer, or the field of the config or the manifest: "config.Env", "annotations.KEY"
	What  string `json:"what"`            // "content, from byte 52 on"
}

// String formats a difference as one line.
func (d Difference) String() string {
	var parts []string
	for _, part := range []string{d.Layer, d.Path, d.What} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Compare returns all differences, first of the layers, the lowest first, then of the config and
// the manifest. It reads only layers that differ.
func Compare(ctx context.Context, want, got Image) ([]Difference, error) {
	var list []Difference
	wants, gots := layersOf(want), layersOf(got)
	for name, i := range wants.at {
		if _, ok := gots.at[name]; !ok {
			list = append(list, Difference{Layer: name, What: fmt.Sprintf("the layer is missing, number %d of the first image", i+1)})
		}
	}
	for name, i := range gots.at {
		if _, ok := wants.at[name]; !ok {
			list = append(list, Difference{Layer: name, What: fmt.Sprintf("the layer is new, number %d of the second image", i+1)})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Layer, b.Layer) })
	var problems []error
	for _, name := range wants.names {
		k, ok := gots.at[name]
		if !ok {
			continue
		}
		i := wants.at[name]
		more, err := compareLayers(ctx, side{want, i}, side{got, k})
		for n := range more {
			more[n].Layer = name
		}
		list, problems = append(list, more...), append(problems, err)
	}
	return append(list, compareFields(want, got)...), errors.Join(problems...)
}

// named has the layers of an image by the names in their history.
type named struct {
	names []string
	at    map[string]int
}

func layersOf(i Image) named {
	n := named{at: map[string]int{}}
	history := slices.DeleteFunc(slices.Clone(i.Config.History), func(h ocispec.History) bool { return h.EmptyLayer })
	for k := range i.Manifest.Layers {
		name := fmt.Sprintf("layer %d", k+1)
		if len(history) == len(i.Manifest.Layers) {
			name = strings.TrimPrefix(history[k].CreatedBy, "lamina ")
			if c := history[k].Comment; c != "" {
				name += ": " + c
			}
		}
		for unique, m := name, 2; ; name, m = fmt.Sprintf("%s (%d)", unique, m), m+1 {
			if _, taken := n.at[name]; !taken {
				break
			}
		}
		n.names, n.at[name] = append(n.names, name), k
	}
	return n
}

// side is a layer of one image.
type side struct {
	Image

	n int
}

func (s side) stored() ocispec.Descriptor { return s.Manifest.Layers[s.n] }

func (s side) diffID() digest.Digest {
	if s.n < len(s.Config.RootFS.DiffIDs) {
		return s.Config.RootFS.DiffIDs[s.n]
	}
	return ""
}

func compareLayers(ctx context.Context, want, got side) ([]Difference, error) {
	a, b := want.stored(), got.stored()
	switch {
	case a.Digest == b.Digest && a.MediaType == b.MediaType:
		return nil, nil
	case want.diffID() == got.diffID() && a.MediaType != b.MediaType:
		return []Difference{{What: fmt.Sprintf("the content is the same, stored as %s and as %s", a.MediaType, b.MediaType)}}, nil
	case want.diffID() == got.diffID():
		return []Difference{{What: fmt.Sprintf("the content is the same, compressed to %d and to %d bytes", a.Size, b.Size)}}, nil
	}
	list, err := compareTars(ctx, want, got)
	if err != nil {
		return nil, fmt.Errorf("comparing layers %s and %s: %w", a.Digest, b.Digest, err)
	}
	if len(list) == 0 {
		list = []Difference{{What: "the entries are the same, in another order or encoding"}}
	}
	return list, nil
}

// compareFields compares configs field by field, except what follows from the layers, and then
// the annotations of the manifests.
func compareFields(want, got Image) []Difference {
	list := compareMaps(fields(want.Config), fields(got.Config))
	return append(list, compareMaps(annotations(want.Manifest), annotations(got.Manifest))...)
}

// annotations returns those of a manifest as fields: "annotations.org.opencontainers.image.title".
func annotations(m ocispec.Manifest) map[string]any {
	all := map[string]any{}
	for key, value := range m.Annotations {
		all["annotations."+key] = value
	}
	return all
}

func compareMaps(a, b map[string]any) (list []Difference) {
	for _, key := range slices.Sorted(maps.Keys(union(a, b))) {
		if !reflect.DeepEqual(a[key], b[key]) {
			list = append(list, Difference{Path: key, What: fmt.Sprintf("%s in the one, %s in the other", text(a[key]), text(b[key]))})
		}
	}
	return list
}

// union returns all keys of both maps.
func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// fields returns those of a config, with nested ones such as "config.Env" one by one.
func fields(i dockerspec.DockerOCIImage) map[string]any {
	i.RootFS = ocispec.RootFS{}
	data, _ := json.Marshal(i) // plain values only
	flat, all := map[string]any{}, map[string]any{}
	_ = json.Unmarshal(data, &all)
	for key, value := range all {
		below, ok := value.(map[string]any)
		if !ok {
			flat[key] = value
			continue
		}
		for k, v := range below {
			flat[key+"."+k] = v
		}
	}
	return flat
}

// longest is the maximum length of a printed value, in bytes.
const longest = 200

func text(value any) string {
	if value == nil {
		return "nothing"
	}
	data, _ := json.Marshal(value)
	if len(data) > longest {
		return string(data[:longest]) + "…"
	}
	return string(data)
}
