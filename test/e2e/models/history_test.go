package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// histories is a project whose model is published, a copy whose model isn't, and the model
// in a layout.
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

// cache returns a cache in a registry.
func (h *histories) cache() string { return "type=registry,ref=" + h.registry.Host + "/cache:1" }

// results returns the digests of all possible outputs of the image: from a registry and from
// a layout of models, to a layout, to a registry and to archives.
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
		t.Errorf("%s is pushed, %s is in the layout", pushed, found["laid out"])
	}
	for _, name := range []string{"image.tar", "docker.tar"} {
		found[name] = sum(t, filepath.Join(u.Dir, name))
	}
	return found
}

func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
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

// elsewhere returns a user with a fresh engine and the same hub.
func (h *histories) elsewhere(t *testing.T) *e2etest.User {
	t.Helper()
	u := e2etest.UserOf(t, e2etest.FreshEngine(t))
	u.Env = h.Env
	return u
}

// An engine that has exported layers as gzip before, and one that has another's cache of
// them, give the same image, and the same archives.
func TestRealOneDigestWhateverCameBefore(t *testing.T) {
	h := newHistories(t, newSetting(t))
	cache := h.cache() + ",mode=min,compression=gzip"
	h.Build(t, h.dir, "-o", "type=oci,dest=gzip.tar,compression=gzip", "--smoke", "off", "--cache-to", cache, "--insecure-registry")
	want := h.results(t, h.User, "--smoke", "off")
	got := h.results(t, h.elsewhere(t), "--smoke", "off", "--cache-from", h.cache())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("digests (-of an engine that made gzip, +of one with its cache):\n%s", diff)
	}
	e2etest.Verify(t, h.User)
}

// Whatever an engine did before, examples/faceblend with a model next to its own weights is
// the same image.
func TestRealHistories(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "histories" {
		t.Skip("LAMINA_REAL=histories builds examples/faceblend on five engines")
	}
	s := newSetting(t)
	model, err := os.ReadFile(filepath.Join(s.dir, "image.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.dir = e2etest.Example(t)
	_, block, _ := strings.Cut(string(model), "[[model]]\n")
	block, _, _ = strings.Cut(block, "[app]")
	e2etest.Edit(t, filepath.Join(s.dir, "image.toml"), "[app]\n", "[[model]]\nname = \"tiny\"\n"+block+"[app]\n")
	h := newHistories(t, s)

	fresh := h.elsewhere(t)
	want := h.results(t, fresh, "--smoke", "off")
	local := filepath.Join(t.TempDir(), "cache")
	made := h.elsewhere(t)
	for _, args := range [][]string{
		{"-o", "type=docker,dest=a.tar,compression=gzip"},
		{"-o", "type=oci,dest=a.tar,compression=gzip"},
		{"-o", "type=oci,dest=a.tar,compression=uncompressed"},
		{"--cache-to", h.cache() + ",compression=gzip"},
		{"--cache-to", "type=local,compression=gzip,dest=" + local},
		{"-t", h.registry.Host + "/inline:1", "--push", "--cache-to", "type=inline"},
	} {
		made.Build(t, append([]string{h.dir, "--insecure-registry", "--smoke", "off"}, args...)...)
	}
	for _, tt := range []struct {
		name   string
		engine func(*testing.T) *e2etest.User
		args   []string
	}{
		{"made other compressions, and caches", func(*testing.T) *e2etest.User { return made }, nil},
		{"has the cache of a registry", h.elsewhere, []string{"--cache-from", h.cache()}},
		{"has the cache of a directory", h.elsewhere, []string{"--cache-from", "type=local,src=" + local}},
		{"has the inline cache of a whole image", h.elsewhere, []string{"--cache-from", h.registry.Host + "/inline:1"}},
		{"has what an older engine left", h.inherited, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			if diff := cmp.Diff(want, h.results(t, tt.engine(t), append(tt.args, "--smoke", "off")...)); diff != "" {
				t.Errorf("digests (-of an engine that had nothing +got):\n%s", diff)
			}
			t.Logf("it took %s", time.Since(start).Round(time.Second))
		})
	}
}

// older is a version of the engine that isn't ours.
const older = "v0.33.1"

// inherited returns a user whose engine has the root of an older one, which has made the
// image in two compressions, from the cache of a registry.
func (h *histories) inherited(t *testing.T) *e2etest.User {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine-") //nolint:usetesting // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := olderEngine(t)
	address := "unix://" + filepath.Join(dir, "old.sock")
	cmd := exec.CommandContext(t.Context(), program, "--root", filepath.Join(dir, "root"), "--addr", address,
		"--oci-worker=true", "--oci-worker-binary", enginetest.Runc(t), "--oci-worker-net", "host", "--containerd-worker=false")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	u := &e2etest.User{Dir: t.TempDir(), Addr: address, Cache: h.Cache, Env: h.Env}
	answers := func() bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", strings.TrimPrefix(address, "unix://"))
		return err == nil && c.Close() == nil
	}
	for n := 0; !answers() && n < 100; n++ {
		time.Sleep(100 * time.Millisecond)
	}
	for _, output := range []string{"type=docker,dest=a.tar,compression=gzip", "type=oci"} {
		u.Build(t, h.dir, "-o", output, "--insecure-registry", "--smoke", "off", "--cache-from", h.cache())
	}
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), ignoreExit(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	there := e2etest.UserOf(t, e2etest.EngineIn(t, dir))
	there.Env = h.Env
	return there
}

func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// olderEngine compiles the older engine.
func olderEngine(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	e2etest.Write(t, filepath.Join(dir, "go.mod"), []byte("module older\n\ngo 1.26.8\n"))
	for _, args := range [][]string{
		{"get", "-tool", "github.com/moby/buildkit/cmd/buildkitd@" + older},
		{"build", "-ldflags", "-X github.com/moby/buildkit/version.Version=" + older, "-o", "buildkitd", "github.com/moby/buildkit/cmd/buildkitd"},
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("an older engine can't be compiled here: go %s: %v\n%s", args[0], err, out)
		}
	}
	return filepath.Join(dir, "buildkitd")
}
