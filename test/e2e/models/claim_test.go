package models

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// relock changes the lock's model as anyone with write access can: the digest of the lock's
// text is right again.
func (s *setting) relock(t *testing.T, change func(*lock.Model)) {
	t.Helper()
	l := e2etest.ReadLock(t, s.dir)
	change(&l.Models[0])
	e2etest.Write(t, filepath.Join(s.dir, "image.lock"), l.Format())
}

// forge publishes a model's image again, with a setuid shell in place of its smallest file,
// and makes the lock name it.
func (s *setting) forge(t *testing.T, r *testworld.Registry, from, name string) {
	t.Helper()
	var m ocispec.Manifest
	var c ocispec.Image
	read := func(data []byte, into any) {
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	read(r.ImageManifest(from, "1"), &m)
	read(r.Blob(from, m.Config.Digest), &c)
	layers := e2etest.ReadLock(t, s.dir).Models[0].Layers
	for i, l := range m.Layers {
		data := bytes.Clone(r.Blob(from, l.Digest))
		if at := header(data, "models/tiny/config.json"); at >= 0 {
			var h bytes.Buffer
			if err := tar.NewWriter(&h).WriteHeader(&tar.Header{Name: "usr/bin/rootsh", Mode: 0o4755, Size: l.Size % 2}); err != nil {
				t.Fatal(err)
			}
			copy(data[at:], h.Bytes()[:512])
		}
		d := r.AddBlob(name, data)
		m.Layers[i].Digest, c.RootFS.DiffIDs[i], layers[i].Digest, layers[i].DiffID = d, d, d, d
	}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Config.Digest, m.Config.Size = r.AddBlob(name, config), int64(len(config))
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.URL+"/v2/"+name+"/manifests/forged", bytes.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", m.MediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.relock(t, func(m *lock.Model) {
		m.Published, m.Layers = r.Host+"/"+name+"@"+digest.FromBytes(manifest).String(), layers
	})
}

// header returns the offset of an entry's header in a tar, or -1.
func header(data []byte, name string) int {
	for at := 0; at+512 <= len(data); at += 512 {
		if bytes.HasPrefix(data[at:], append([]byte(name), 0)) {
			return at
		}
	}
	return -1
}

// A lock that an attacker changed merges none of their images, wherever these are.
func TestRealForgedLocks(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Keep: 100_000_000})
	s.push(t, r, "w", "1")
	genuine, err := os.ReadFile(filepath.Join(s.dir, "image.lock"))
	if err != nil {
		t.Fatal(err)
	}
	s.Cache = t.TempDir() // another machine that has made none of the layers
	r.Forget()
	s.hub.CDN.Forget()
	for _, tt := range []struct {
		name string
		want []string
		do   func()
	}{
		{"in another place", []string{"published in " + r.Host + "/evil, the spec names " + r.Host + "/w", "build lock --unpublish"}, func() { s.forge(t, r, "w", "evil") }},
		{"in the place", []string{`it has "usr/bin/rootsh" where the plan has "models/tiny/config.json"`, "build lock --unpublish"}, func() { s.forge(t, r, "w", "w") }},
		{"other layers", []string{"in the lock", "build lock --unpublish"}, func() {
			s.relock(t, func(m *lock.Model) {
				m.Layers[0].Digest, m.Layers[0].DiffID = digest.FromString("x"), digest.FromString("x")
			})
		}},
		{"layers of another size", []string{"bytes, but 100000000 in the lock"}, func() { s.relock(t, func(m *lock.Model) { m.Layers[2].Size = 100_000_000 }) }},
	} {
		e2etest.Write(t, filepath.Join(s.dir, "image.lock"), genuine)
		tt.do()
		got := s.Run(t, "image", s.dir)
		if got.Code != 3 {
			t.Errorf("%s: exit code %d\n%s", tt.name, got.Code, e2etest.Tail(got.Stderr))
		}
		for _, want := range tt.want {
			if !strings.Contains(got.Stderr, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, e2etest.Tail(got.Stderr))
			}
		}
	}
	if n := s.hub.CDN.Sent("/**"); n > 0 {
		t.Errorf("%d bytes of the model were fetched", n)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "dist")); err == nil {
		t.Error("an image was made")
	}

	// A spec that names no place accepts none, and the lock can be fixed without a network.
	e2etest.Write(t, filepath.Join(s.dir, "image.lock"), genuine)
	e2etest.Edit(t, filepath.Join(s.dir, "image.toml"), "published = ", "# published = ")
	if got := s.Run(t, "lock", "--check", s.dir); got.Code != 3 || !strings.Contains(got.Stderr, "the spec names no place") {
		t.Errorf("exit code %d\n%s", got.Code, e2etest.Tail(got.Stderr))
	}
	if got := s.Build(t, "lock", "--unpublish", s.dir); !strings.Contains(got.Stdout, "removed from the lock: "+r.Host+"/w@sha256:") {
		t.Errorf("it prints %q", got.Stdout)
	}
	s.Build(t, "lock", "--check", s.dir)
}

// The lock has a model's layers once they are known; a build adds none to an existing lock.
func TestRealLayersAreLockedOnceTheyAreKnown(t *testing.T) {
	s := newSetting(t)
	s.Build(t, "image", s.dir) // which locks first
	layers := e2etest.ReadLock(t, s.dir).Models[0].Layers
	var digests []digest.Digest
	for _, l := range layers {
		digests = append(digests, l.Digest)
	}
	if got := s.modelLayers(t); !slices.Equal(got, digests) {
		t.Errorf("the image has layers %v, the lock %v", got, digests)
	}

	s.relock(t, func(m *lock.Model) { m.Layers = nil })
	s.Build(t, "image", s.dir)
	if got := e2etest.ReadLock(t, s.dir).Models[0].Layers; got != nil {
		t.Errorf("a build wrote %v into an existing lock", got)
	}
	s.lock(t)
	if got := e2etest.ReadLock(t, s.dir).Models[0].Layers; !slices.Equal(got, layers) {
		t.Errorf("the new lock has layers %v, want %v", got, layers)
	}
	s.relock(t, func(m *lock.Model) { m.Layers = nil })
	s.Build(t, "model", "pull", t.TempDir(), "--spec", s.dir)
	if got := e2etest.ReadLock(t, s.dir).Models[0].Layers; !slices.Equal(got, layers) {
		t.Errorf("a pull wrote the layers %v, want %v", got, layers)
	}

	// A push without a place in the spec publishes, and reports the missing line.
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	got := s.Build(t, "model", "push", r.Host+"/w:1", "--spec", s.dir, "--insecure-registry")
	if line := `published = "` + r.Host + `/w"`; !strings.Contains(got.Stderr, line) || !strings.Contains(got.Stdout, r.Host+"/w@sha256:") {
		t.Errorf("no %s in\n%s%s", line, got.Stdout, got.Stderr)
	}
	if m := e2etest.ReadLock(t, s.dir).Models[0]; m.Published != "" || !slices.Equal(m.Layers, layers) {
		t.Errorf("the lock has %q, %v", m.Published, m.Layers)
	}
	r.Forget()
	s.push(t, r, "w", "1")
	if m := e2etest.ReadLock(t, s.dir).Models[0]; m.Place() != r.Host+"/w" || r.Received() > 100_000 {
		t.Errorf("the lock has %q after %d bytes were sent", m.Published, r.Received())
	}
}

// A published model that is unreachable comes from a layout, or else from the hub.
func TestRealPublishedModelOutOfReach(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s.push(t, r, "w", "1")
	want := s.reference(t, r)
	r.Stop()
	s.hub.CDN.Fail("/**", testworld.Status(404, testworld.Always))
	got := s.Run(t, "image", s.dir)
	if _, text, _ := strings.Cut(got.Stderr, "build: error:"); got.Code != 75 || !strings.Contains(text, "nor from its published repository: ") {
		t.Errorf("exit code %d\n%s", got.Code, e2etest.Tail(got.Stderr))
	}
	s.hub.CDN.Heal()
	elsewhere := func(t *testing.T, args ...string) {
		t.Helper()
		got := s.Build(t, append([]string{"image", s.dir}, args...)...)
		if !strings.Contains(got.Stderr, "can't be read, so its layers are taken from elsewhere") || !slices.Equal(s.modelLayers(t), want) {
			t.Errorf("it was not reported, or built of other layers:\n%s", e2etest.Tail(got.Stderr))
		}
	}
	dir := filepath.Join(t.TempDir(), "weights")
	s.Build(t, "model", "pull", dir, "--spec", s.dir)
	s.hub.CDN.Forget()
	elsewhere(t, "--models", dir)
	if n := s.hub.CDN.Sent("/**"); n > 0 {
		t.Errorf("%d bytes came from the hub", n)
	}
	elsewhere(t)
}

// reference returns the layers of the published model.
func (s *setting) reference(t *testing.T, r *testworld.Registry) (layers []digest.Digest) {
	t.Helper()
	var manifest ocispec.Manifest
	if err := json.Unmarshal(r.ImageManifest("w", "1"), &manifest); err != nil {
		t.Fatal(err)
	}
	for _, l := range manifest.Layers {
		layers = append(layers, l.Digest)
	}
	return layers
}
