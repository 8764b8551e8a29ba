package e2e

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// labelled is a spec's configuration of its image, apart from the layers.
const labelled = `[app]
labels      = { "org.opencontainers.image.source" = "https://git.example/acme/faceblend", kind = "spec" }
healthcheck = { test = ["python3", "-c", "print(1)"], interval = "30s", timeout = "1m30s", start-period = "500ms", start-interval = "2s", retries = 4 }
volumes     = ["/v", "/srv/out"]
`

// The settings of spec and flags are in config, manifest and descriptor of every output,
// as docker's users know it.
func TestRealLabelsAndAnnotations(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "[app]\n", labelled)

	bin := t.TempDir()
	e2etest.Write(t, filepath.Join(bin, "docker"), []byte("#!/bin/sh\n[ \"$1\" = ps ] || exec tar -xO manifest.json >loaded.json\n"))
	if err := os.Chmod(filepath.Join(bin, "docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	u.Env = append(u.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{})
	r := u.Build(t, "-f", filepath.Join(dir, "image.toml"), "--platform", "linux/amd64", "--smoke", "off", "-q", "--load", "--insecure-registry",
		"-o", "type=oci", "-o", "type=tar,dest=files.tar", "-o", "type=registry,push-by-digest=true,name="+registry.Host+"/a", "--metadata-file", "made.json",
		"--label", "kind=flag", "--label", "org.opencontainers.image.revision=abc", "--annotation", "a=b", "--annotation", "manifest-descriptor:c=d")
	_, image := u.Image(t, "production")
	if want := image.Manifest.Config.Digest.String() + "\n"; r.Stdout != want || r.Stderr != "" {
		t.Errorf("with -q it prints %q and %q, want %q", r.Stdout, r.Stderr, want)
	}
	c := image.Config.Config
	labels := map[string]string{
		"org.opencontainers.image.title": "Feathered face blend with colour transfer", "org.opencontainers.image.version": "1.0", "org.opencontainers.image.licenses": "Apache-2.0",
		"kind": "flag", "org.opencontainers.image.source": "https://git.example/acme/faceblend", "org.opencontainers.image.revision": "abc",
	}
	if diff := cmp.Diff(labels, c.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	check := &dockerspec.HealthcheckConfig{
		Test: []string{"CMD", "python3", "-c", "print(1)"}, Interval: 30 * time.Second, Timeout: 90 * time.Second,
		StartPeriod: 500 * time.Millisecond, StartInterval: 2 * time.Second, Retries: 4,
	}
	if diff := cmp.Diff(check, c.Healthcheck); diff != "" {
		t.Errorf("health check (-want +got):\n%s", diff)
	}
	if !cmp.Equal(c.Volumes, map[string]struct{}{"/v": {}, "/srv/out": {}}) {
		t.Errorf("volumes %v", c.Volumes)
	}
	if !cmp.Equal(image.Manifest.Annotations, map[string]string{"a": "b"}) || image.Desc.Annotations["c"] != "d" {
		t.Errorf("the manifest has the annotations %v, its descriptor %v", image.Manifest.Annotations, image.Desc.Annotations)
	}
	name := registry.Host + "/a@" + image.Desc.Digest.String()
	if made := readFile(t, u.Dir, "made.json"); !strings.Contains(made, name) {
		t.Errorf("the metadata has no name %s:\n%s", name, made)
	}
	if tagged, pushed := registry.Manifest("a", "latest"), registry.Manifest("a", image.Desc.Digest.String()); tagged != nil || pushed == nil {
		t.Errorf("%q is pushed, %q is tagged", pushed, tagged)
	}
	var loaded []struct{ Config string }
	if err := json.Unmarshal([]byte(readFile(t, u.Dir, "loaded.json")), &loaded); err != nil || len(loaded) != 1 || !strings.HasSuffix(loaded[0].Config, image.Manifest.Config.Digest.Encoded()) {
		t.Errorf("docker has %v, %v", loaded, err)
	}
	if got, want := string(tarFile(t, u.Dir, "files.tar", "app/handler.py")), readFile(t, dir, "app/handler.py"); got != want {
		t.Errorf("the archive of files has %q", got)
	}
}

// An image for caches only is made and tested, and leaves nothing here.
func TestRealCacheOnly(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), selfTest, `["/bin/false"],`)
	u.Fails(t, 1, []string{"/bin/false"}, dir, "-o", "type=cacheonly")
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `["/bin/false"],`, `["/bin/true"],`)
	r := u.Build(t, dir, "-o", "type=cacheonly")
	if !strings.Contains(r.Stdout, "kept only by the engine and in caches") {
		t.Errorf("it prints\n%s", r.Stdout)
	}
	if left, err := os.ReadDir(u.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tarFile returns a file of an archive.
func tarFile(t *testing.T, dir, archive, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, archive))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s has no %s", archive, name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == name {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
}
