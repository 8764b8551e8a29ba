package lamina

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/output"
)

func made() Made {
	manifest := ocispec.Manifest{Layers: []ocispec.Descriptor{
		{MediaType: ocispec.MediaTypeImageLayerZstd, Digest: digest.FromString("os"), Size: 58_234_567},
		{MediaType: ocispec.MediaTypeImageLayerZstd, Digest: digest.FromString("wheel"), Size: 91_000},
		{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromString("model"), Size: 11_360_000_000},
		{MediaType: ocispec.MediaTypeImageLayerZstd, Digest: digest.FromString("app"), Size: 812},
	}}
	config := ocispec.Image{History: []ocispec.History{
		{CreatedBy: "lamina runtime", Comment: "118 Debian packages"},
		{CreatedBy: "lamina wheels", Comment: "native"},
		{CreatedBy: "someone else", EmptyLayer: true},
		{CreatedBy: "lamina model", Comment: "weights/t5.safetensors"},
		{CreatedBy: "lamina app", Comment: "/app"},
	}}
	return Made{
		Name: "faceblend", Variant: "production", Platform: "linux/amd64",
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("index"), Size: 421},
		Manifest:   digest.FromString("manifest"),
		Config:     digest.FromString("config"),
		Layers:     layersOf(manifest, config),
		Engine:     "BuildKit v0.34.2",
		Lock:       digest.FromString("lock"),
		Took:       12345 * time.Millisecond,
	}
}

// named returns an output with names.
func named(names ...string) Saved { return Saved{Output: output.Output{Names: names}} }

func TestMetadata(t *testing.T) {
	whole, lacking := made(), made()
	whole.Saved = []Saved{named("r.example/a:1"), named("r.example/a:1", "r.example/a:2")}
	lacking.LeftOut = []string{"flash-attn 2.7: it could not be built", "xformers: no matching distribution found"}
	lacking.Pruned = []Pruned{
		{Rule: "**/*.a", Files: 412, Bytes: 1_234_567_890}, {Rule: "nvidia/*/include", Files: 1, Bytes: 812}, {Rule: "**/tests/é", Files: 0, Bytes: 0},
	}
	lacking.Removed = []Removed{{"machine-id", "/etc/machine-id"}}
	lacking.Notes = []string{"libatm.so.1 is needed by /usr/lib/tc/q_atm.so, and nothing that iproute2 depends on has it"}
	for name, m := range map[string]Made{"metadata": whole, "missing": lacking} {
		got, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", name+".golden.json"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMetadataOfBareFilesHasNoDigests(t *testing.T) {
	text, err := Made{Name: "a", Variant: "debug", Platform: "linux/amd64"}.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"lamina.variant": "debug", "lamina.platform": "linux/amd64", "lamina.seconds": 0.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestLayersOfAForeignHistoryStayUnnamed(t *testing.T) {
	manifest := ocispec.Manifest{Layers: []ocispec.Descriptor{{Digest: digest.FromString("a"), Size: 1}}}
	want := []Layer{{Digest: digest.FromString("a"), Size: 1}}
	if diff := cmp.Diff(want, layersOf(manifest, ocispec.Image{})); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestSizeAndNames(t *testing.T) {
	m := made()
	if got := m.Size(); got != 11_418_326_379 {
		t.Errorf("the layers weigh %d", got)
	}
	m.Saved = []Saved{named("b", "a"), named(), named("a", "c")}
	if diff := cmp.Diff([]string{"b", "a", "c"}, m.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
