package readback

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/output"
	"lamina.build/stages"
)

// check compares an image that an engine has exported with the one that was drawn. It reports
// all differences, naming layers by their content.
func check(drawn stages.Image, o output.Output, got layout.Image) error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	compare := func(what string, got, want any) {
		if got != want {
			problem("%s is %v, not %v", what, got, want)
		}
	}
	types := typesOf(o)
	compare("the media type of the manifest", got.Manifest.MediaType, types.manifest)
	compare("the media type of the config", got.Manifest.Config.MediaType, types.config)
	compare("the operating system", got.Config.OS, drawn.Config.OS)
	compare("the architecture", got.Config.Architecture+got.Config.Variant, drawn.Config.Architecture+drawn.Config.Variant)
	if is, want := text(got.Config.Config), text(drawn.Config.Config); is != want {
		problem("the config runs %s, not %s", is, want)
	}
	if is, want := got.Manifest.Annotations, annotations(o, false); !maps.Equal(is, want) {
		problem("the annotations of the manifest are %s, not %s", text(is), text(want))
	}
	layers, diffs, history := got.Manifest.Layers, got.Config.RootFS.DiffIDs, filled(got.Config.History)
	expected, said := layersOf(drawn), filled(drawn.Config.History)
	if n := len(expected); len(layers) != n || len(diffs) != n || len(history) != len(said) {
		problem("it has %d layers, %d diff IDs and %d history entries, but %d layers with %d entries were drawn", len(layers), len(diffs), len(history), n, len(said))
		return odd(problems)
	}
	for i, want := range expected {
		name := fmt.Sprintf("layer %d (%s)", i+1, want.What)
		compare("the media type of "+name, layers[i].MediaType, types.layer)
		for what, d := range map[string]digest.Digest{"digest": layers[i].Digest, "diff ID": diffs[i]} {
			if err := d.Validate(); err != nil {
				problem("the %s of %s is %q: %w", what, name, d, err)
			}
		}
		if isPlain := compression(o) == output.Uncompressed; isPlain != (layers[i].Digest == diffs[i]) {
			problem("the digest of %s is %s, and its diff ID is %s", name, layers[i].Digest, diffs[i])
		}
		if want.DiffID != "" {
			compare("the diff ID of "+name, diffs[i], want.DiffID)
		}
		if want.Stored.MediaType == types.layer {
			compare("the digest of "+name, layers[i].Digest, want.Stored.Digest)
			compare("the size of "+name, layers[i].Size, want.Stored.Size)
		}
	}
	for i, want := range said {
		compare(fmt.Sprintf("entry %d of the history", i+1), history[i].CreatedBy+" "+history[i].Comment, want.CreatedBy+" "+want.Comment)
	}
	return odd(problems)
}

// odd returns the error for a wrong image. None of it is the user's doing.
func odd(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	err := fmt.Errorf("the engine exported a different image than was drawn: %w", errors.Join(problems...))
	return failure.WithHint(err, "run `build engine prune` to clear the engine's cache, or name another engine with --addr")
}

func text(v any) string {
	data, _ := json.Marshal(v) // strings always marshal
	return string(data)
}

func layersOf(image stages.Image) (list []stages.Layer) {
	for _, p := range image.Parts {
		list = append(list, p.Layers...)
	}
	return list
}

// filled returns the entries that stand for a layer.
func filled(history []ocispec.History) (list []ocispec.History) {
	for _, h := range history {
		if !h.EmptyLayer {
			list = append(list, h)
		}
	}
	return list
}

type mediaTypes struct{ manifest, config, layer, plain string }

// typesOf returns the media types of an output's image.
func typesOf(o output.Output) mediaTypes {
	if o.Type == output.Docker {
		t := mediaTypes{images.MediaTypeDockerSchema2Manifest, images.MediaTypeDockerSchema2Config, images.MediaTypeDockerSchema2Layer, images.MediaTypeDockerSchema2Layer}
		if compression(o) == output.Gzip {
			t.layer = images.MediaTypeDockerSchema2LayerGzip
		}
		return t
	}
	layer := map[output.Compression]string{
		output.Uncompressed: ocispec.MediaTypeImageLayer, output.Zstd: ocispec.MediaTypeImageLayerZstd,
		output.Gzip: ocispec.MediaTypeImageLayerGzip,
	}[compression(o)]
	return mediaTypes{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig, layer, ocispec.MediaTypeImageLayer}
}
