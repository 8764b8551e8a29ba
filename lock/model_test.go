package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
		Files: []lock.ModelFile{
			{Path: "a b.bin", Size: 0, SHA256: strings.Repeat("0", 64)},
			{Path: "ü/\"q\".bin", Size: 11_361_920_418, SHA256: strings.Repeat("1", 64)},
		},
	}
}

func listModel() lock.Model {
	return lock.Model{
		ModelRequest: lock.ModelRequest{From: "https://weights.example/SHA256SUMS", Path: "/models/other"},
		Plan:         lock.ModelPlan, Digest: "sha256:" + strings.Repeat("d", 64),
		Files: []lock.ModelFile{{Path: "x", Size: 1, SHA256: strings.Repeat("2", 64), URL: "https://weights.example/x"}},
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

func TestParseRefusesWhatNoResolverOfModelsWrites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*lock.Model)
		message string
	}{
		{"a branch for a commit", func(m *lock.Model) { m.Commit = "main" }, `"main" is not a commit`},
		{"a relative path", func(m *lock.Model) { m.Path = "models" }, `path "models" is not absolute and clean`},
		{"no digest", func(m *lock.Model) { m.Digest = "" }, `"" is not a digest`},
		{"no plan", func(m *lock.Model) { m.Plan = 0 }, "plan 0 is not positive"},
		{"no files", func(m *lock.Model) { m.Files = nil }, "it has no files"},
		{"published without a digest", func(m *lock.Model) { m.Published = "registry.example/wan:1" }, "has no digest"},
		{"a file that escapes", func(m *lock.Model) { m.Files[0].Path = "../x" }, `file "../x" does not stay in the model`},
		{"a file with a wrong hash", func(m *lock.Model) { m.Files[0].SHA256 = "x" }, `"x" is not a sha256`},
		{"a file twice", func(m *lock.Model) { m.Files[0].Path = m.Files[1].Path }, "is there twice"},
		{"an address for a file of the hub", func(m *lock.Model) { m.Files[0].URL = "https://h.example/x" }, "only one of the hub has no url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", withModels(tt.change).Format())
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
		})
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
		t.Error("a list is taken for a repository")
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
			t.Errorf("%s is called %q, want %q", from, got, want)
		}
	}
}
