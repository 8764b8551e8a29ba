package report_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/output"
	"lamina.build/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func image() report.Image {
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
	return report.Image{
		Name: "faceblend", Variant: "production", Platform: "linux/amd64",
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("index"), Size: 421},
		Manifest:   digest.FromString("manifest"),
		Config:     digest.FromString("config"),
		Layers:     report.Layers(manifest, config),
		Engine:     "BuildKit v0.34.2",
		Lock:       digest.FromString("lock"),
		Took:       12345 * time.Millisecond,
	}
}

func saved(t *testing.T, line, dest, tag string, names ...string) report.Saved {
	t.Helper()
	o, err := output.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if dest != "" {
		o.Dest = dest
	}
	o.Names = append(o.Names, names...)
	return report.Saved{Output: o, Tag: tag}
}

func TestWriteText(t *testing.T) {
	tests := []struct {
		name  string
		saved []report.Saved
	}{
		{"layout", []report.Saved{saved(t, "type=oci", "dist/faceblend", "production")}},
		{"odd_folder", []report.Saved{saved(t, "type=oci", "it's mine/faceblend", "production")}},
		{"archives", []report.Saved{
			saved(t, "type=oci,dest=a.tar", "", "", "r.example/faceblend:1"),
			saved(t, "type=docker,dest=b.tar", "", "", "r.example/faceblend:1"),
		}},
		{"pushed", []report.Saved{saved(t, "type=image,push=true", "", "", "r.example/faceblend:1", "r.example/faceblend:latest")}},
		{"stdout", []report.Saved{saved(t, "type=docker,dest=-", "", "")}},
		{"files", []report.Saved{saved(t, "out", "", "")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := image()
			i.Saved = tt.saved
			var b strings.Builder
			if err := i.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name+".txt", b.String())
		})
	}
}

func TestMetadata(t *testing.T) {
	i := image()
	i.Saved = []report.Saved{
		saved(t, "type=oci", "dist/faceblend", "production", "r.example/a:1"),
		saved(t, "type=image,push=true", "", "", "r.example/a:1", "r.example/a:2"),
	}
	text, err := i.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "metadata.json", string(text))
}

// incomplete is an image that lacks something, and says what.
func incomplete(t *testing.T) report.Image {
	t.Helper()
	i := image()
	i.Saved = []report.Saved{saved(t, "type=oci", "dist/faceblend", "production")}
	i.LeftOut = []string{"flash-attn 2.7: it could not be built", "xformers: no matching distribution found"}
	i.Pruned = []report.Pruned{
		{Rule: "**/*.a", Files: 412, Bytes: 1_234_567_890}, {Rule: "nvidia/*/include", Files: 1, Bytes: 812}, {Rule: "**/tests/é", Files: 0, Bytes: 0},
	}
	return i
}

func TestWhatIsMissingIsTold(t *testing.T) {
	i := incomplete(t)
	var b strings.Builder
	if err := i.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "missing.txt", b.String())
	text, err := i.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "missing.json", string(text))
}

func TestMetadataOfBareFilesHasNoDigests(t *testing.T) {
	text, err := report.Image{Name: "a", Variant: "debug", Platform: "linux/amd64"}.Metadata()
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
	layers := report.Layers(manifest, ocispec.Image{})
	want := []report.Layer{{Digest: digest.FromString("a"), Size: 1}}
	if diff := cmp.Diff(want, layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	var b strings.Builder
	if err := (report.Image{Layers: layers}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if want := "  layer   1 B  " + digest.FromString("a").String(); !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		58_234_567: "58.2 MB", 999_950_000: "1.00 GB", 72_400_000_000: "72.40 GB",
	} {
		if got := report.Size(bytes); got != want {
			t.Errorf("Size(%d) is %q, want %q", bytes, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                          "0.00 s",
		730 * time.Millisecond:     "0.73 s",
		12345 * time.Millisecond:   "12.3 s",
		time.Minute:                "1 min 0 s",
		3599600 * time.Millisecond: "60 min 0 s",
	} {
		if got := report.Duration(d); got != want {
			t.Errorf("Duration(%v) is %q, want %q", d, got, want)
		}
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteTextReportsABrokenWriter(t *testing.T) {
	if err := image().WriteText(broken{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
