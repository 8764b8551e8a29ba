package sbom_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	packageurl "github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"

	"lamina.build/internal/sbom"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// input has a component of each kind, and for most kinds one that is not in the image.
func input() stages.Input {
	sum := func(text string) string { return digest.FromString(text).Encoded() }
	sets := func(kind lock.Kind, variants ...string) (list []lock.Set) {
		for _, v := range variants {
			list = append(list, lock.Set{Kind: kind, Variant: v})
		}
		return list
	}
	model := lock.Model{
		ModelRequest: lock.ModelRequest{From: "hf://Wan-AI/Wan2.2@main", Path: "/models/wan", Rename: map[string]string{"a.safetensors": "dit/a.safetensors"}},
		Commit:       strings.Repeat("b", 40), License: "Apache-2.0",
		Files: []lock.ModelFile{
			{Path: "a.safetensors", Size: 10 << 30, SHA256: sum("a")},
			{Path: "config.json", Size: 12, SHA256: sum("config")},
		},
	}
	weights := []stages.Weights{{Layers: []llb.Layer{{Name: "weights/w.safetensors", DiffID: digest.FromString("w"), Size: 7, Paths: []string{"/models/", "/models/own/", "/models/own/w.safetensors"}}}}}
	commit := strings.Repeat("c", 40)
	return stages.Input{
		Name: "faceblend", Version: "1.0", Licenses: "Apache-2.0", Variant: "debug",
		Lock: lock.Lock{
			Requirements: lock.Requirements{Repositories: []lock.Repository{{Name: "own", URL: "https://deb.example/own"}, {Name: "ports", URL: "https://ports.example/ubuntu"}, {Name: "past", URL: "https://past.example/debian"}}, Requests: []lock.Request{{Set: lock.Set{Kind: lock.SetExtra, Variant: "debug"}, Packages: []string{"gdb"}}}},
			Releases: []lock.Release{
				{Repository: "debian", Suite: "bookworm", Origin: "Debian", Date: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
				{Repository: "debian", Suite: "bookworm-updates", Origin: "Debian"},
				{Repository: "debian-security", Suite: "bookworm-security", Origin: "Debian"},
				{Repository: "own", Suite: "./", Origin: "Own Tools"},
				{Repository: "past", Suite: "bookworm-backports", Origin: "Debian Backports"},
				{Repository: "ports", Suite: "noble", Origin: "Ubuntu"},
			},
			Packages: []lock.Package{
				{Name: "g++", Version: "4:12.2.0-3", Architecture: "amd64", Repository: "debian", SHA256: sum("g++"), For: sets(lock.SetBuilder, "")},
				{Name: "gdb", Version: "13.1-3", Architecture: "amd64", Repository: "debian", SHA256: sum("gdb"), For: sets(lock.SetExtra, "debug")},
				{Name: "libc6", Version: "2.36-9+deb12u9", Architecture: "amd64", Repository: "debian", SHA256: sum("libc6"), For: append(sets(lock.SetExtra, "debug"), sets(lock.SetRuntime, "")...)},
				{Name: "newer", Version: "2~bpo12+1", Architecture: "amd64", Repository: "past", SHA256: sum("newer"), For: sets(lock.SetRuntime, "")},
				{Name: "openssl", Version: "3", Architecture: "amd64", Repository: "debian-security", SHA256: sum("openssl"), For: sets(lock.SetRuntime, "")},
				{Name: "ubuntu-keyring", Version: "2023", Architecture: "all", Repository: "ports", SHA256: sum("ubuntu"), For: sets(lock.SetRuntime, "")},
				{Name: "tool", Version: "1:2~rc1", Architecture: "all", Repository: "own", SHA256: sum("tool"), For: sets(lock.SetRuntime, "")},
			},
			Distributions: []lock.Distribution{
				{Name: "decord", Version: "0.6.0", License: "LicenseRef-BSD-License", SHA256: sum("decord"), File: "decord-0.6.0-py3-none-manylinux2010_x86_64.whl", URL: "https://files.example/decord-0.6.0-py3-none-manylinux2010_x86_64.whl", For: sets(lock.SetPython, "")},
				{Name: "flash-attn", Version: "2.7", SHA256: sum("flash"), File: "flash_attn-2.7.tar.gz", URL: "https://files.example/flash_attn-2.7.tar.gz", For: sets(lock.SetPython, "")},
				{Name: "sam2", Version: "1.1", License: "Apache-2.0 AND BSD-3-Clause AND LicenseRef-Own", URL: "git+https://github.com/facebookresearch/sam2@" + commit, For: sets(lock.SetPython, "")},
				{Name: "local", Version: "1+cu124", SHA256: sum("local"), File: "local-1+cu124-py3-none-any.whl", URL: "file:wheels/local-1+cu124-py3-none-any.whl", For: sets(lock.SetPython, "")},
				{Name: "setuptools", Version: "70", SHA256: sum("setuptools"), File: "setuptools-70-py3-none-any.whl", For: []lock.Set{{Kind: lock.SetBuild, Project: "sam2"}}},
			},
		},
		Sources: []stages.Source{{Project: "native", Distribution: "Faceblend_Native", Version: "1.0", Layer: llb.Layer{DiffID: digest.FromString("native")}}},
		Trees: []llb.Tree{
			{Remote: "https://github.com/Wan-Video/Wan2.2.git", Commit: commit, Path: "/opt/wan"},
			{Remote: "https://git.example/tools/x", Commit: commit, Subdir: "sub", Path: "/opt/x"},
		},
		Models: []stages.Model{
			{Name: "wan", Path: "/models/wan", Weights: weights, Locked: &model},
			{Name: "absent", Path: "/models/absent", Locked: &model},
			{Path: "/models/own", Weights: weights},
		},
		App: &stages.App{Path: "/app", Layer: llb.Layer{DiffID: digest.FromString("app")}},
	}
}

func bill() sbom.Bill {
	return sbom.Of(input(), digest.FromString("manifest"), []string{"flash-attn"})
}

// Both documents are complete, and the tools of their formats can read them.
func TestDocuments(t *testing.T) {
	spdx, err := bill().SPDX()
	if err != nil {
		t.Fatal(err)
	}
	cdx, err := bill().CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = spdxjson.Read(bytes.NewReader(spdx)); err != nil {
		t.Errorf("SPDX: %v", err)
	}
	if err = cyclonedx.NewBOMDecoder(bytes.NewReader(cdx), cyclonedx.BOMFileFormatJSON).Decode(new(cyclonedx.BOM)); err != nil {
		t.Errorf("CycloneDX: %v", err)
	}
	for name, data := range map[string][]byte{"spdx.golden.json": spdx, "cyclonedx.golden.json": cdx} {
		var indented bytes.Buffer
		if err := json.Indent(&indented, bytes.TrimSpace(data), "", "  "); err != nil {
			t.Fatal(err)
		}
		indented.WriteByte('\n')
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, indented.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), indented.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Every component in the image has a valid package URL, and nothing else is listed.
func TestComponents(t *testing.T) {
	var got []string
	for _, c := range bill().Components {
		got = append(got, string(c.Kind)+" "+c.Name)
		if _, err := packageurl.FromString(c.PURL); err != nil {
			t.Errorf("%s: %q: %v", c.Name, c.PURL, err)
		}
	}
	want := []string{
		"debian gdb", "debian libc6", "debian newer", "debian openssl", "debian tool", "debian ubuntu-keyring", "python decord", "python sam2", "python local",
		"source faceblend-native", "git Wan2.2", "git x", "weights Wan-AI/Wan2.2", "weights own", "app faceblend",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Different images have different documents.
func TestDocumentsNameTheirImage(t *testing.T) {
	other := sbom.Of(input(), digest.FromString("other"), nil)
	for name, write := range map[string]func(sbom.Bill) ([]byte, error){"SPDX": sbom.Bill.SPDX, "CycloneDX": sbom.Bill.CycloneDX} {
		one, err := write(bill())
		if err != nil {
			t.Fatal(err)
		}
		two, err := write(other)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(one, two) || !bytes.Contains(two, []byte(other.Manifest.Encoded())) {
			t.Errorf("%s is the same for two images", name)
		}
	}
}
