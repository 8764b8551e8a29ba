package attest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/attest"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const image = digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

func sum(text string) string { return digest.FromString(text).Encoded() }

// input has a source of each kind, and one of another variant, which isn't part of this image.
func input() stages.Input {
	deb := func(name string, kind lock.Kind, variant string) lock.Package {
		return lock.Package{
			Name: name, Version: "1:1.0", Architecture: "amd64", Repository: "debian", SHA256: sum(name), Path: "pool/" + name,
			For: []lock.Set{{Kind: kind, Variant: variant}},
		}
	}
	wheel := func(name string, set lock.Set) lock.Distribution {
		return lock.Distribution{Name: name, Version: "1", SHA256: sum(name), File: name + "-1-py3-none-any.whl", URL: "https://files.example/" + name, For: []lock.Set{set}}
	}
	commit := strings.Repeat("c", 40)
	python := lock.Set{Kind: lock.SetPython}
	model := lock.Model{
		ModelRequest: lock.ModelRequest{From: "hf://Wan-AI/Wan2.2@main", Path: "/models/wan"}, Commit: strings.Repeat("b", 40),
		Files: []lock.ModelFile{{Path: "a.safetensors", SHA256: sum("a.safetensors")}, {Path: "dir/config.json", SHA256: sum("dir/config.json")}},
	}
	layer := func(name string) llb.Layer { return llb.Layer{Name: name, DiffID: digest.FromString(name)} }
	weights := []stages.Weights{{Layers: []llb.Layer{{DiffID: digest.FromString("w"), Paths: []string{"/models/own/", "/models/own/w.safetensors"}}}}}
	return stages.Input{
		Name: "faceblend", Version: "1.0", Variant: "production", Labels: map[string]string{"a": "b&c"}, Tools: layer("tools"),
		Lock: lock.Lock{
			Requirements: lock.Requirements{Platform: "linux/amd64", Python: []lock.PythonRequest{{Set: python}}},
			Releases:     []lock.Release{{Repository: "debian", Suite: "bookworm", Date: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}},
			Packages: []lock.Package{
				deb("busybox-static", lock.SetBootstrap, ""), deb("g++", lock.SetBuilder, ""), deb("gdb", lock.SetExtra, "debug"), deb("libc6", lock.SetRuntime, ""),
			},
			Distributions: []lock.Distribution{
				wheel("numpy", python), wheel("setuptools", lock.Set{Kind: lock.SetBuild, Project: "sam2"}), wheel("other", lock.Set{Kind: lock.SetPython, Variant: "other"}),
				{Name: "sam2", Version: "1.1", URL: "git+https://github.com/facebookresearch/sam2@" + commit + "#subdirectory=sub", For: []lock.Set{python}},
			},
			UV: lock.UV{Version: "0.13.9", SHA256: sum("uv"), File: "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl", URL: "https://files.example/uv"},
		},
		Sources: []stages.Source{{Project: "native", Version: "1.0", Layer: layer("native")}},
		Trees:   []llb.Tree{{Remote: "https://git.example/tools/x", Commit: commit, Path: "/opt/x"}},
		Models:  []stages.Model{{Name: "wan", Path: "/models/wan", Weights: weights, Locked: &model}, {Path: "/models/own", Weights: weights}},
		App:     &stages.App{Path: "/app", Layer: layer("app")},
	}
}

func run() attest.Run {
	return attest.Run{
		Lock: digest.FromBytes(input().Lock.Format()), Smoke: stages.SmokeAll, Lamina: "v1.0.0", Engine: "BuildKit v0.34.2", LeftOut: []string{"optional"},
		Source:    attest.Source{URL: "https://github.com/acme/faceblend", Commit: strings.Repeat("a", 40), Dirty: true},
		Builder:   "https://github.com/acme/faceblend/.github/workflows/publish.yml@refs/heads/main",
		Materials: []lock.Material{{URL: "https://index.example/simple/numpy/", Size: 5, SHA256: sum("page")}},
		Documents: []attest.Resource{attest.Of("image.lock", "", digest.FromString("lock"))},
	}
}

// A provenance names everything that the image was made from by digest, and nothing else.
func TestProvenance(t *testing.T) {
	text, err := attest.Provenance(input(), image, run())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, problem := attest.Provenance(input(), image, run()); problem != nil || !bytes.Equal(again, text) {
			t.Fatalf("the same build has another provenance, %v", problem)
		}
	}
	for _, name := range []string{
		"busybox-static", "g++", "libc6", "numpy", "setuptools", "uv", "a.safetensors", "dir/config.json", "w", "native", "app", "tools", "page",
	} {
		if !bytes.Contains(text, []byte(`{"sha256":"`+sum(name)+`"}`)) {
			t.Errorf("%s is not among the dependencies", name)
		}
	}
	for _, name := range []string{"gdb", "other"} {
		if bytes.Contains(text, []byte(sum(name))) {
			t.Errorf("%s of another variant is among the dependencies", name)
		}
	}
	var indented bytes.Buffer
	if err = json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/provenance.golden.json"
	if *update {
		if err = os.WriteFile(path, append(indented.Bytes(), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), indented.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Parsing returns the subject of a statement and the documents that it names.
func TestParse(t *testing.T) {
	text, err := attest.Provenance(input(), image, run())
	if err != nil {
		t.Fatal(err)
	}
	s, err := attest.Parse(text)
	if err != nil || s.PredicateType != attest.ProvenanceV1 || !s.Names(image) || s.Names(digest.FromString("other")) {
		t.Errorf("it is read as %+v, %v", s, err)
	}
	if named, problem := s.Byproducts(); problem != nil || len(named) != 1 || !named[digest.FromString("lock")] {
		t.Errorf("it names %v, %v", named, problem)
	}
	text, err = attest.Verification(image, attest.Rebuild{Image: "registry.example/a:1", Lock: digest.FromString("lock"), Time: time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = attest.Parse(text); err != nil || s.PredicateType != attest.VerificationV1 || !bytes.Contains(s.Predicate, []byte(`"verificationResult":"PASSED"`)) {
		t.Errorf("it is read as %+v, %v", s, err)
	}
	if named, problem := s.Byproducts(); problem != nil || named != nil {
		t.Errorf("a verification names %v, %v", named, problem)
	}
	other := digest.FromString("other")
	if text, err = attest.Verification(other, attest.Rebuild{Lock: digest.FromString("lock")}, image, other); err != nil {
		t.Fatal(err)
	}
	if s, err = attest.Parse(text); err != nil || len(s.Subject) != 2 || !s.Names(image) || !s.Names(other) {
		t.Errorf("of an index it is read as %+v, %v", s, err)
	}
	for _, bad := range []string{"", "{}", `{"_type":"https://in-toto.io/Statement/v0.1"}`, `{"_type":1}`} {
		if _, err := attest.Parse([]byte(bad)); err == nil {
			t.Errorf("%q is parsed as a statement", bad)
		}
	}
}
