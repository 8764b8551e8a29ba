package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build"

	"lamina.build/output"
	"lamina.build/stages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func made() lamina.Made {
	return lamina.Made{
		Name: "faceblend", Variant: "production", Platform: "linux/amd64",
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("index"), Size: 421},
		Manifest:   digest.FromString("manifest"),
		Layers: []lamina.Layer{
			{Stage: "runtime", What: "118 Debian packages", Size: 58_234_567},
			{Stage: "wheels", What: "native", Size: 91_000},
			{Stage: "model", What: "weights/t5.safetensors", Size: 11_360_000_000},
			{Stage: "app", What: "/app", Size: 812},
		},
		Engine: "BuildKit v0.34.2",
		Took:   12345 * time.Millisecond,
	}
}

func saved(t *testing.T, line, dest, tag string, names ...string) lamina.Saved {
	t.Helper()
	o, err := output.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if dest != "" {
		o.Dest = dest
	}
	o.Names = append(o.Names, names...)
	return lamina.Saved{Output: o, Tag: tag}
}

// again is the command as typed, without outputs.
var again = []string{"build", "it's mine", "--smoke=off"}

// digested returns an output with a manifest.
func digested(s lamina.Saved, of string) lamina.Saved {
	s.Manifest = digest.FromString(of)
	return s
}

func TestSummary(t *testing.T) {
	tests := []struct {
		name  string
		saved []lamina.Saved
	}{
		{"layout", []lamina.Saved{saved(t, "type=oci", "dist/faceblend", "production")}},
		{"odd_directory", []lamina.Saved{saved(t, "type=oci", "it's mine/faceblend", "production")}},
		{"names", []lamina.Saved{saved(t, "type=oci", "dist/faceblend", "production", "faceblend:production", "r.example/faceblend:1", "docker.io/library/faceblend:production", "faceblend")}},
		{"colon", []lamina.Saved{saved(t, "type=oci,dest=a:b,tar=false", "", "production"), saved(t, "type=oci,dest=a:b.tar", "", "", "faceblend:production")}},
		{"archives", []lamina.Saved{
			saved(t, "type=oci,dest=a.tar", "", "", "r.example/faceblend:1", "faceblend:1"),
			saved(t, "type=docker,dest=b.tar", "", "", "r.example/faceblend:1", "faceblend:1"),
		}},
		{"two_compressions", []lamina.Saved{
			digested(saved(t, "type=oci,dest=a.tar,compression=gzip", "", ""), "gzip"),
			digested(saved(t, "type=oci", "dist/faceblend", "production"), "manifest"),
		}},
		{"pushed", []lamina.Saved{saved(t, "type=image,push=true", "", "", "r.example/faceblend:1", "r.example/faceblend:latest")}},
		{"pushed_gzip", []lamina.Saved{saved(t, "type=image,push=true,compression=gzip", "", "", "faceblend:1")}},
		{"pushed_insecurely", []lamina.Saved{
			saved(t, "type=image,push=true,compression=gzip,registry.insecure=true", "", "", "r.example/faceblend:1", "r.example/faceblend:2"),
			saved(t, "type=image,push=true,compression=gzip,registry.insecure=true", "", "", "localhost:5000/faceblend:1"),
		}},
		{"stdout", []lamina.Saved{saved(t, "type=docker,dest=-", "", "")}},
		{"files", []lamina.Saved{saved(t, "out", "", "")}},
		{"buildx", []lamina.Saved{
			saved(t, "type=docker", "", "", "r.example/faceblend:1"), saved(t, "type=cacheonly", "", ""), saved(t, "type=tar,dest=a.tar", "", ""),
			saved(t, "type=registry,push-by-digest=true", "", "", "r.example/faceblend@"+digest.FromString("manifest").String()),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := made()
			m.Saved = tt.saved
			golden(t, tt.name+".txt", Image(m, again))
		})
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	m := made()
	m.Saved = []lamina.Saved{saved(t, "type=oci", "dist/faceblend", "production")}
	m.LeftOut = []string{"flash-attn 2.7: it could not be built", "xformers: no matching distribution found"}
	m.Pruned = []lamina.Pruned{
		{Rule: "**/*.a", Files: 412, Bytes: 1_234_567_890}, {Rule: "nvidia/*/include", Files: 1, Bytes: 812}, {Rule: "**/tests/é", Files: 0, Bytes: 0},
	}
	m.Removed = []lamina.Removed{{Kind: "machine-id", Path: "/etc/machine-id"}, {Kind: "ssh host key", Path: "/etc/ssh/ssh_host_rsa_key"}}
	m.Notes = []string{"libatm.so.1 is needed by /usr/lib/tc/q_atm.so, and nothing that iproute2 depends on has it", "/etc/a was made by a script"}
	golden(t, "missing.txt", Image(m, again))
}

// A layer without a name, and an image whose manifest can't be read again.
func TestSummaryOfWhatIsNotOurs(t *testing.T) {
	text := Image(lamina.Made{
		Descriptor: ocispec.Descriptor{Digest: digest.FromString("index")},
		Layers:     []lamina.Layer{{Digest: digest.FromString("a"), Size: 1}},
		Saved:      []lamina.Saved{{Output: output.Output{Type: output.Image, Names: []string{"a:1", "b:1"}}}},
	}, again)
	for _, want := range []string{
		"\n" + digest.FromString("index").String() + "\n", "  layer   1 B  " + digest.FromString("a").String(), "\nbuilt in 0.00 s\n", "kept by the engine as a:1, b:1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPlanned(t *testing.T) {
	got := Planned([]stages.Part{
		{Stage: "runtime", Layers: []stages.Layer{{What: "3 Debian packages", Fetched: 1500}}},
		{Stage: "wheels", Layers: []stages.Layer{{What: "torch 2.6.0", Fetched: 768_000_000, Unpacked: 1_600_000_000}}},
		{Stage: "app", Layers: []stages.Layer{{What: "/app", Unpacked: 10}}},
	})
	want := `LAYER     FETCHED  UNPACKED  WHAT
runtime    1.5 kB         -  3 Debian packages
wheels   768.0 MB   1.60 GB  torch 2.6.0
app             -      10 B  /app
total    768.0 MB   1.60 GB  3 layers, known sizes only
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "summary", name)
	if *update {
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
