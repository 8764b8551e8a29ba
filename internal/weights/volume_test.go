package weights_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
)

// A node of a cluster mounts the image as a volume, whatever its platform: containerd finds
// an image for it under the tag, and unpacks it because its configuration has the platform.
// The layers are the same for all, and the image that a lock names is among them.
func TestAnyNodeTakesTheImageAsAVolume(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	pushed, err := weights.Push(t.Context(), options(t, r, job(t, model(t, "a.safetensors 70000000", "b.bin 5", "c/d.json 600"), &hub{})))
	must(t, err)
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(docker.WithPlainHTTP(docker.MatchAllHosts))})
	name, top, err := resolver.Resolve(t.Context(), r.Host+"/acme/tiny:1")
	must(t, err)
	fetcher, err := resolver.Fetcher(t.Context(), name)
	must(t, err)
	for _, node := range []string{"linux/amd64", "linux/arm64"} {
		store, err := local.NewStore(t.TempDir())
		must(t, err)
		platform := platforms.Only(platforms.MustParse(node))
		children := images.LimitManifests(images.FilterPlatforms(images.ChildrenHandler(store), platform), platform, 1)
		must(t, images.Dispatch(t.Context(), images.Handlers(remotes.FetchHandler(store, fetcher), children), nil, top))
		manifest, err := images.Manifest(t.Context(), store, top, platform)
		must(t, err)
		config, err := images.ConfigPlatform(t.Context(), store, manifest.Config)
		if err != nil || !platform.Match(config) {
			t.Errorf("%s gets an image of %s, which it doesn't unpack; %v", node, platforms.Format(config), err)
		}
		ids, err := images.RootFS(t.Context(), store, manifest.Config)
		if err != nil || !slices.Equal(ids, digestsOf(pushed.Layers)) || !slices.Equal(digestsOf(manifest.Layers), ids) {
			t.Errorf("%s gets %v, want %v; %v", node, ids, digestsOf(pushed.Layers), err)
		}
		if node == "linux/amd64" {
			if _, err = content.ReadBlob(t.Context(), store, pushed.Manifest); err != nil {
				t.Errorf("the image that a lock names is not the one of %s: %v", node, err)
			}
		}
	}
}

func digestsOf(list []ocispec.Descriptor) (all []digest.Digest) {
	for _, d := range list {
		all = append(all, d.Digest)
	}
	return all
}

// A ModelPack names the layers of the image, and adds only its configuration, which matches
// the schema of its own project.
func TestModelPack(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	m := model(t, "a.safetensors 70000000", "b.bin 5", "c/d.json 600")
	o := options(t, r, job(t, m, &hub{}))
	pushed, err := weights.Push(t.Context(), o)
	must(t, err)
	r.Forget()
	o.ModelPack = true
	again, err := weights.Push(t.Context(), o)
	must(t, err)
	if again.Unchanged || again.Manifest.Digest != pushed.Manifest.Digest {
		t.Errorf("the image is %+v, want %+v", again, pushed)
	}
	if third, err := weights.Push(t.Context(), o); err != nil || !third.Unchanged {
		t.Errorf("a third time: %+v, %v", third, err)
	}
	var manifest ocispec.Manifest
	must(t, json.Unmarshal(r.Manifest("acme/tiny", "1"+weights.ModelPackSuffix), &manifest))
	if manifest.ArtifactType != "application/vnd.cncf.model.manifest.v1+json" || manifest.Config.MediaType != "application/vnd.cncf.model.config.v1+json" {
		t.Errorf("it is a %s with a %s", manifest.ArtifactType, manifest.Config.MediaType)
	}
	if !slices.Equal(digestsOf(manifest.Layers), digestsOf(pushed.Layers)) {
		t.Errorf("its layers are %v, those of the image %v", manifest.Layers, pushed.Layers)
	}
	var kinds []string
	for _, l := range manifest.Layers {
		kinds = append(kinds, strings.TrimPrefix(l.MediaType, "application/vnd.cncf.model.")+" "+l.Annotations["org.cncf.model.filepath"])
	}
	slices.Sort(kinds)
	if want := []string{"weight.v1.tar models/tiny", "weight.v1.tar models/tiny/a.safetensors"}; !slices.Equal(kinds, want) {
		t.Errorf("its layers are %q, want %q", kinds, want)
	}
	config := r.Blob("acme/tiny", manifest.Config.Digest)
	for _, want := range []string{`"format":"safetensors"`, `"type":"layers"`, pushed.Layers[0].Digest.String()} {
		if !strings.Contains(string(config), want) {
			t.Errorf("%s is not in %s", want, config)
		}
	}
	dir := t.TempDir()
	if out, err := e2etest.Schemas(t, ".", "pull", r.Host+"/acme/tiny:1"+weights.ModelPackSuffix, dir); err != nil {
		t.Errorf("oras can't pull it: %v: %s", err, out)
	}
	for _, d := range append(digestsOf(manifest.Layers), manifest.Config.Digest) {
		if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256", d.Encoded())); err != nil {
			t.Errorf("what oras pulled lacks %v", err)
		}
	}
	file := filepath.Join(t.TempDir(), "config.json")
	must(t, os.WriteFile(file, config, 0o600))
	if out, err := e2etest.Schemas(t, ".", "modelpack", file); err != nil {
		t.Errorf("the schema of ModelPack refuses %s: %v: %s", config, err, out)
	}
	must(t, os.WriteFile(file, []byte(strings.Replace(string(config), "diffIds", "diffids", 1)), 0o600))
	if out, err := e2etest.Schemas(t, ".", "modelpack", file); err == nil {
		t.Errorf("an invalid one passes: %s", out)
	}
}
