package readback

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	cacheconfig "github.com/moby/buildkit/cache/remotecache/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
)

// read returns an image as it is read back.
func read(t *testing.T, w *written) exported {
	t.Helper()
	var x exported
	x.manifest, x.config, x.Desc = w.blobs(t)
	if err := errors.Join(json.Unmarshal(x.manifest, &x.Manifest), json.Unmarshal(x.config, &x.Config)); err != nil {
		t.Fatal(err)
	}
	return x
}

// Each form of an output has its own media types, and an engine that uses them passes.
func TestCheckTakesWhatWasDrawn(t *testing.T) {
	for _, line := range []string{
		"type=oci", "type=oci,compression=gzip", "type=oci,compression=uncompressed", "type=docker,dest=-", "type=docker,dest=-,compression=gzip",
	} {
		o, lean := outputs(t, line)[0], picture(t).Lean()
		if err := check(lean, o, read(t, write(t, lean, o)).Image); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Whatever an engine did wrong is reported by layer.
func TestCheckTellsWhatIsWrong(t *testing.T) {
	other := digest.FromString("another")
	for want, corrupt := range map[string]func(*layout.Image){
		"the media type of layer 1 (3 Debian packages) is application/vnd.oci.image.layer.v1.tar+gzip, not application/vnd.oci.image.layer.v1.tar+zstd": func(i *layout.Image) {
			i.Manifest.Layers[0].MediaType = ocispec.MediaTypeImageLayerGzip
		},
		"the digest of layer 3 (/app) is " + other.String(): func(i *layout.Image) { i.Manifest.Layers[2].Digest = other },
		"the size of layer 3 (/app) is 1, not 10":           func(i *layout.Image) { i.Manifest.Layers[2].Size = 1 },
		"the diff ID of layer 3 (/app) is ":                 func(i *layout.Image) { i.Config.RootFS.DiffIDs[2] = other },
		`the digest of layer 2 (torch) is "": `:             func(i *layout.Image) { i.Manifest.Layers[1].Digest = "" },
		`the diff ID of layer 2 (torch) is "x": `:           func(i *layout.Image) { i.Config.RootFS.DiffIDs[1] = "x" },
		"the digest of layer 2 (torch) is " + digest.FromString("torch").String() + ", and its diff ID is ": func(i *layout.Image) {
			i.Manifest.Layers[1].Digest = i.Config.RootFS.DiffIDs[1]
		},
		"it has 4 layers, 3 diff IDs and 3 history entries, but 3 layers with 3 entries were drawn": func(i *layout.Image) {
			i.Manifest.Layers = append(i.Manifest.Layers, i.Manifest.Layers[0])
		},
		"it has 3 layers, 2 diff IDs": func(i *layout.Image) { i.Config.RootFS.DiffIDs = i.Config.RootFS.DiffIDs[1:] },
		"2 history entries":           func(i *layout.Image) { i.Config.History[0].EmptyLayer = true },
		"entry 2 of the history is lamina wheels jax, not lamina wheels torch": func(i *layout.Image) { i.Config.History[1].Comment = "jax" },
		"the architecture is arm64v8, not amd64":                               func(i *layout.Image) { i.Config.Architecture, i.Config.Variant = "arm64", "v8" },
		"the operating system is plan9, not linux":                             func(i *layout.Image) { i.Config.OS = "plan9" },
		`the config runs {"Env":["A=\u003cb\u003e\u0026c"],"Entrypoint":["/bin/sh"]}, not `: func(i *layout.Image) {
			i.Config.Config.Entrypoint, i.Config.Config.Healthcheck = []string{"/bin/sh"}, nil
		},
		`"Healthcheck":{"Test":["CMD","true"],"Retries":3}}`:      func(i *layout.Image) { i.Config.Config.Healthcheck = nil },
		`the annotations of the manifest are {"a":"b"}, not null`: func(i *layout.Image) { i.Manifest.Annotations = map[string]string{"a": "b"} },
		"the media type of the manifest is , not ":                func(i *layout.Image) { i.Manifest.MediaType = "" },
		"the media type of the config is x, not ":                 func(i *layout.Image) { i.Manifest.Config.MediaType = "x" },
	} {
		o, lean := outputs(t, "type=oci")[0], picture(t).Lean()
		got := read(t, write(t, lean, o)).Image
		corrupt(&got)
		err := check(lean, o, got)
		if err == nil || !strings.Contains(err.Error(), want) || failure.KindOf(err) != failure.Failure || !strings.Contains(strings.Join(failure.Hints(err), ""), "build engine prune") {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Layers that engines don't export are added in their positions, and the result is what an
// engine would have written for the whole image.
func TestJoin(t *testing.T) {
	for _, line := range []string{"type=oci", "type=docker,dest=-,compression=gzip"} {
		o, whole := outputs(t, line)[0], picture(t)
		want := read(t, write(t, whole, o))
		got := read(t, write(t, whole.Lean(), o))
		added, err := got.join(whole, typesOf(o).plain)
		if err != nil || len(added) != 2 {
			t.Fatalf("added %d, %v", len(added), err)
		}
		if diff := cmp.Diff(string(want.manifest), string(got.manifest)); diff != "" {
			t.Errorf("%s: manifest (-want +got):\n%s", line, diff)
		}
		if diff := cmp.Diff(string(want.config), string(got.config)); diff != "" {
			t.Errorf("%s: config (-want +got):\n%s", line, diff)
		}
		if diff := cmp.Diff(want.Image, got.Image); diff != "" {
			t.Errorf("%s: image (-want +got):\n%s", line, diff)
		}
	}
}

// An inline cache names layers by their positions in the image.
func TestJoinMovesTheInlineCache(t *testing.T) {
	type records = []cacheconfig.CacheRecord
	inline := func(r records) string {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(text)
	}
	o, whole := outputs(t, "type=oci")[0], picture(t)
	for _, tt := range []struct {
		name         string
		have, become records
		want         string // of the error
	}{
		{"below the weights", records{{Digest: "a", Results: []cacheconfig.CacheResult{{LayerIndex: 1}}}}, records{{Digest: "a", Results: []cacheconfig.CacheResult{{LayerIndex: 1}}}}, ""},
		{"above them", records{{Results: []cacheconfig.CacheResult{{LayerIndex: 2}}}}, records{{ChainedResults: []cacheconfig.ChainedResult{{LayerIndexes: []int{0, 1, 4}}}}}, ""},
		{"alone", records{{ChainedResults: []cacheconfig.ChainedResult{{LayerIndexes: []int{2, 0}}}}}, records{{ChainedResults: []cacheconfig.ChainedResult{{LayerIndexes: []int{4, 0}}}}}, ""},
		{"nowhere", records{{Results: []cacheconfig.CacheResult{{LayerIndex: 3}}}}, nil, "adding layers to the config: the inline cache names layer 3 of 3"},
		{"nowhere alone", records{{ChainedResults: []cacheconfig.ChainedResult{{LayerIndexes: []int{-1}}}}}, nil, "the inline cache names layer -1 of 3"},
	} {
		w := write(t, whole.Lean(), o)
		w.config[inlineCache] = inline(tt.have)
		x := read(t, w)
		_, err := x.join(whole, typesOf(o).plain)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v", tt.name, err)
			}
			continue
		}
		var config map[string]any
		if err = errors.Join(err, json.Unmarshal(x.config, &config)); err != nil {
			t.Fatal(err)
		}
		if config[inlineCache] != inline(tt.become) {
			t.Errorf("%s: got %v", tt.name, config[inlineCache])
		}
	}
}

// An image without added layers stays as the engine wrote it.
func TestNothingIsAddedToALeanImage(t *testing.T) {
	image := picture(t)
	image.Parts = append(image.Parts[:2:2], image.Parts[3])
	if lean := image.Lean(); len(lean.Parts) != 3 || len(lean.Config.History) != 5 {
		t.Errorf("it is another one: %+v", lean)
	}
	if lean := picture(t).Lean(); len(lean.Parts) != 3 || len(lean.Config.History) != 3 || lean.Config.History[2].Comment != "/app" {
		t.Errorf("lean is %+v", lean)
	}
}
