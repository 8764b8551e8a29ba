package models

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

const (
	repository = "Wan-AI/Tiny"
	token      = "hf_" + e2etest.Secret
	large      = 70_000_000 // bytes: gets a separate layer
)

// setting is a hub with a model, a project that needs it, and a user.
type setting struct {
	*e2etest.User

	hub    *testworld.Hub
	repo   *testworld.HubRepo
	dir    string
	commit string
	seed   uint64
}

// files returns the model's files: large, small, empty, oddly named, and one that the spec
// leaves out. The tests' shared engine caches by digest, so that each test needs its own
// content.
func (s *setting) files() map[string]testworld.HubFile {
	return map[string]testworld.HubFile{
		"unet/model.safetensors":    testworld.Large(testworld.Generated(s.seed, large)),
		"vae.safetensors":           testworld.Large(testworld.Generated(s.seed+1, large+1)),
		"text/encoder.bin":          testworld.Large(testworld.Generated(s.seed+2, 3_000_000)),
		"config.json":               testworld.Small(fmt.Sprint(s.seed)),
		"tokenizer/odd näme #1.txt": testworld.Small("x"),
		"tokenizer/empty.txt":       testworld.Small(""),
		"README.md":                 testworld.Small("not wanted"),
	}
}

func newSetting(t *testing.T) *setting {
	t.Helper()
	w := testworld.New(t)
	s := &setting{User: e2etest.NewUser(t), hub: w.Hub(testworld.HubOptions{Token: token})}
	s.Cache = t.TempDir() // without what earlier tests pulled
	s.repo = s.hub.Repo(repository, testworld.HubRepoOptions{})
	s.seed = rand.Uint64()
	s.commit = s.repo.Commit(s.files())
	s.Env = []string{"HF_ENDPOINT=" + s.hub.Endpoint, "HF_TOKEN=" + token}
	s.dir = e2etest.PythonProject(t, `[[model]]
from = "hf://Wan-AI/Tiny@main"
path = "/models/tiny"
exclude = ["*.md"]
rename = { "vae.safetensors" = "vae/diffusion.safetensors" }
[app]
source = "app"
entrypoint = ["/usr/bin/python3", "/app/main.py"]
[smoke]
run = [["/usr/bin/python3", "-c", "import os, sys; sys.exit(os.environ['MODEL_PATH'] != '/models/tiny')"]]
`, map[string]string{"app/main.py": "print(1)\n"})
	return s
}

func (s *setting) lock(t *testing.T) { t.Helper(); s.Build(t, "lock", s.dir) }

// push publishes the model as a tag of a registry, and allows that in the spec.
func (s *setting) push(t *testing.T, r *testworld.Registry, name, tag string) {
	t.Helper()
	e2etest.Edit(t, filepath.Join(s.dir, "image.toml"), `exclude = ["*.md"]`, fmt.Sprintf("exclude = [\"*.md\"]\npublished = %q", r.Host+"/"+name))
	s.Build(t, "model", "push", r.Host+"/"+name+":"+tag, "--spec", s.dir, "--insecure-registry")
}

// modelLayers returns the image's layers of weights, which are uncompressed.
func (s *setting) modelLayers(t *testing.T) []digest.Digest {
	t.Helper()
	_, image := s.Image(t, "production")
	var list []digest.Digest
	for i, h := range image.Config.History {
		if strings.HasPrefix(h.CreatedBy, "lamina model") {
			list = append(list, image.Manifest.Layers[i].Digest)
			if image.Manifest.Layers[i].Digest != image.Config.RootFS.DiffIDs[i] {
				t.Errorf("layer %d of weights is compressed", i)
			}
		}
	}
	return list
}

// pulled returns the image and the layers in a layout of models.
func pulled(t *testing.T, dir string) (digest.Digest, []digest.Digest) {
	t.Helper()
	l, err := layout.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tags, err := l.Tags()
	if err != nil || len(tags) != 1 {
		t.Fatalf("tags %q, %v", tags, err)
	}
	image, err := l.Read(t.Context(), tags[0])
	if err != nil {
		t.Fatal(err)
	}
	var list []digest.Digest
	for _, d := range image.Layers() {
		list = append(list, d.Digest)
	}
	return image.Desc.Digest, list
}

func (s *setting) modelsDir() string { return filepath.Join(s.Cache, "lamina", "models") }

// untagged adds a layer that no image has yet to the layout of models.
func (s *setting) untagged(t *testing.T) string {
	t.Helper()
	l, err := layout.Open(t.Context(), s.modelsDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text := "a layer"
	desc := ocispec.Descriptor{Digest: digest.FromString(text), Size: int64(len(text))}
	if err := content.WriteBlob(t.Context(), l.Store(), "half", strings.NewReader(text), desc); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(s.modelsDir(), "blobs", "sha256", desc.Digest.Encoded())
}
