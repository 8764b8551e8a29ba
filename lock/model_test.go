package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

func wanModel() lock.Model {
	return lock.Model{
		ModelRequest: lock.ModelRequest{
			From: "hf://Wan-AI/Wan2.2-Animate-14B@main", Path: "/models/wan",
			Include: []string{"*.safetensors"}, Exclude: []string{"xlm-roberta-large/**"}, Rename: map[string]string{"a b.bin": "c/d.bin", "a": "x", "a=b": "y=z"},
		},
		Commit: strings.Repeat("c", 40), Plan: lock.ModelPlan, Digest: "sha256:" + strings.Repeat("d", 64),
		Published: "registry.example/wan@sha256:" + strings.Repeat("e", 64),
		Layers:    []lock.ModelLayer{modelLayer(2560, "f"), modelLayer(11_361_922_048, "9")},
		Files: []lock.ModelFile{
			{Path: "a b.bin", Size: 0, SHA256: strings.Repeat("0", 64)},
			{Path: "ü/\"q\".bin", Size: 11_361_920_418, SHA256: strings.Repeat("1", 64)},
		},
	}
}

func modelLayer(size int64, digit string) lock.ModelLayer {
	d := digest.Digest("sha256:" + strings.Repeat(digit, 64))
	return lock.ModelLayer{Size: size, Digest: d, DiffID: d}
}

func listModel() lock.Model {
	return lock.Model{
		ModelRequest: lock.ModelRequest{From: "https://weights.example/SHA256SUMS", Path: "/models/other"},
		Plan:         lock.ModelPlan, Digest: "sha256:" + strings.Repeat("d", 64),
		Layers: []lock.ModelLayer{modelLayer(2048, "8")},
		Files:  []lock.ModelFile{{Path: "x", Size: 1, SHA256: strings.Repeat("2", 64), URL: "https://weights.example/x"}},
	}
}

func withModels(change func(*lock.Model)) lock.Lock {
	l := sample()
	wan := wanModel()
	if change != nil {
		change(&wan)
	}
	l.Models = []lock.Model{listModel(), wan}
	l.ModelRequests = []lock.ModelRequest{l.Models[0].ModelRequest, l.Models[1].ModelRequest}
	l.Sort()
	return l
}

func TestModelsSurviveTheText(t *testing.T) {
	want := withModels(nil)
	got, err := lock.Parse("image.lock", want.Format())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Models, got.Models, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	if again := got.Format(); string(again) != string(want.Format()) {
		t.Errorf("another text:\n%s", again)
	}
	for _, m := range want.Models {
		if _, ok := got.Model(m.ModelRequest); !ok {
			t.Errorf("no model for %v", m.ModelRequest)
		}
	}
}

func TestTargetAndRepository(t *testing.T) {
	m := wanModel()
	if got := m.Target("a b.bin") + " " + m.Target("c") + " " + m.Target("a=b"); got != "c/d.bin c y=z" {
		t.Errorf("targets %q", got)
	}
	if repository, revision, ok := m.Repository(); repository != "Wan-AI/Wan2.2-Animate-14B" || revision != "main" || !ok {
		t.Errorf("got %q, %q, %v", repository, revision, ok)
	}
	if _, _, ok := listModel().Repository(); ok {
		t.Error("a list has a repository")
	}
	if m.Size() != 11_361_920_418 {
		t.Errorf("size %d", m.Size())
	}
}

func TestModelName(t *testing.T) {
	for from, want := range map[string]string{
		"hf://org/name@main": "org/name", "https://x.example/models/wan/SHA256SUMS": "wan",
	} {
		if got := (lock.ModelRequest{From: from}).Name(); got != want {
			t.Errorf("%s has the name %q, want %q", from, got, want)
		}
	}
}
