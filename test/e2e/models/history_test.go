package models

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// histories are a project of which the model is published, its copy of which it is not, and
// the model in a layout.
type histories struct {
	*setting

	registry *testworld.Registry
	laidOut  string // the copy
	models   string // the layout
}

func newHistories(t *testing.T, s *setting) *histories {
	t.Helper()
	h := &histories{setting: s, registry: testworld.NewRegistry(t, testworld.RegistryOptions{}), laidOut: filepath.Join(t.TempDir(), "faceblend"), models: filepath.Join(t.TempDir(), "models")}
	s.lock(t)
	if err := os.CopyFS(h.laidOut, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	s.Build(t, "model", "pull", h.models, "--spec", s.dir)
	s.Build(t, "model", "push", h.registry.Host+"/weights:1", "--spec", s.dir, "--insecure-registry")
	return h
}

// cache is a registry for caches.
func (h *histories) cache(name string) string {
	return "type=registry,ref=" + h.registry.Host + "/cache:" + name
}

// results are the digests of all that a user may make of the image: from a registry and from
// a layout of models, in a layout, in a registry and in archives.
func (h *histories) results(t *testing.T, u *e2etest.User, args ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	args = append(args, "--insecure-registry")
	u.Build(t, append([]string{h.dir, "-t", h.registry.Host + "/app:1", "--push"}, args...)...)
	pushed, err := crane.Digest(h.registry.Host+"/app:1", crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	u.Build(t, append([]string{h.laidOut, "--models", h.models, "-o", "type=oci", "-o", "type=oci,dest=image.tar", "-o", "type=docker,dest=docker.tar,name=a:1"}, args...)...)
	found["published"], found["laid out"] = pushed, u.Digest(t).String()
	if pushed != found["laid out"] {
		t.Errorf("%s is pushed, and %s is in the layout", pushed, found["laid out"])
	}
	for _, name := range []string{"image.tar", "docker.tar"} {
		found[name] = sum(t, filepath.Join(u.Dir, name))
	}
	return found
}

func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // of the test
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err = io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// elsewhere is a user with an engine that has nothing, and with the same hub.
func (h *histories) elsewhere(t *testing.T) *e2etest.User {
	t.Helper()
	u := e2etest.UserOf(t, e2etest.FreshEngine(t))
	u.Env = h.Env
	return u
}

// An engine that has exported layers as gzip before, and one that has another's cache of
// them, give the same image, and the same archives, as any.
func TestRealOneDigestWhateverCameBefore(t *testing.T) {
	h := newHistories(t, newSetting(t))
	cache := h.cache("gzip") + ",mode=min,compression=gzip"
	h.Build(t, h.dir, "-o", "type=oci,dest=gzip.tar,compression=gzip", "--smoke", "off", "--cache-to", cache, "--insecure-registry")
	want := h.results(t, h.User, "--smoke", "off")
	got := h.results(t, h.elsewhere(t), "--smoke", "off", "--cache-from", h.cache("gzip"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("digests (-of an engine that made gzip, +of one with its cache):\n%s", diff)
	}
	e2etest.Verify(t, h.User)
}
