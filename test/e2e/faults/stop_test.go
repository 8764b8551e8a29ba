package faults

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// silence keeps the first request waiting as long as its client does, and reports that it
// arrived.
type silence chan struct{}

func (s silence) fault() testworld.Fault {
	return testworld.Answer(func(_ http.ResponseWriter, r *http.Request) {
		close(s)
		<-r.Context().Done()
	}, 1)
}

func (s silence) await(t *testing.T, r *e2etest.Running) {
	t.Helper()
	select {
	case <-s:
	case <-time.After(2 * time.Minute):
		t.Fatalf("there was no request:\n%s", e2etest.Tail(r.Said()))
	}
}

// Each command that is stopped midway returns its exit code. It works when it is run again,
// and leaves nothing of the first run.
func TestRealStopped(t *testing.T) {
	for _, stop := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 130}, {syscall.SIGHUP, 130}, {syscall.SIGKILL, -1}} {
		t.Run(stop.signal.String(), func(t *testing.T) {
			t.Parallel()
			u, w, r := e2etest.NewUser(t), testworld.New(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
			hub := w.Hub(testworld.HubOptions{})
			hub.Repo("acme/tiny", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"model.bin": testworld.Large(testworld.Generated(2, 1_000_000))})
			u.Env = []string{"HF_ENDPOINT=" + hub.Endpoint}
			x := w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "beta"})
			dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n[[model]]\nfrom = \"hf://acme/tiny@main\"\npath = \"/models/tiny\"\n",
				map[string]string{"requirements.txt": "--index-url " + x.URL + "\nbeta\n"})
			stopped := func(asked silence, args ...string) {
				t.Helper()
				run := u.Start(t, args...)
				asked.await(t, run)
				if err := run.Process.Signal(stop.signal); err != nil {
					t.Fatal(err)
				}
				run.Ends(stop.code)
				u.Build(t, args...)
				nothingLeft(t, dir, u.Dir)
			}
			asked := make(silence)
			w.Fail("/simple/beta", asked.fault())
			stopped(asked, "lock", dir)
			asked = make(silence)
			hub.CDN.Fail("/blobs/**", asked.fault())
			stopped(asked, "model", "pull", "models", "--spec", dir)
			asked = make(silence)
			r.Fail("HEAD /v2/w/blobs/**", asked.fault())
			stopped(asked, "model", "push", r.Host+"/w:1", "--spec", dir, "--insecure-registry")
			asked = make(silence)
			r.Fail("HEAD /v2/app/**", asked.fault())
			stopped(asked, dir, "--models", "models", "-t", r.Host+"/app:1", "-o", "type=image,push=true", "-o", "type=oci", "-o", "type=docker,dest=a.tar", "-o", "type=local,dest=files", "--insecure-registry", "--progress", "plain")
		})
	}
}

// Two concurrent locks make one.
func TestRealTwoLocksAtOnce(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	want := e2etest.ReadLock(t, dir)
	if err := os.Remove(filepath.Join(dir, "image.lock")); err != nil {
		t.Fatal(err)
	}
	first, second := u.Start(t, "lock", dir), u.Start(t, "lock", dir)
	first.Ends(0)
	second.Ends(0)
	if diff := cmp.Diff(want, e2etest.ReadLock(t, dir)); diff != "" {
		t.Errorf("locked (-before +at once):\n%s", diff)
	}
	nothingLeft(t, dir)
}

// nothingLeft checks for partial files.
func nothingLeft(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.Contains(d.Name(), ".lamina-") {
				t.Errorf("left behind: %s", path)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

// An engine that goes away in any phase is a transient problem, and its work is dropped.
func TestRealEngineDies(t *testing.T) {
	for name, tt := range map[string]struct {
		smoke string
		args  []string
		until string // seen on standard error, if no registry is used
	}{
		"solving":   {"all", nil, "smoke: run sleep"},
		"exporting": {"off", []string{"-o", "type=oci,dest=-"}, "exporting to oci image format"},
		"pushing":   {"off", []string{"--push"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
			spec, err := os.OpenFile(filepath.Join(dir, "image.toml"), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = spec.WriteString("[smoke]\nrun = [[\"sleep\", \"60\"]]\n")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer spec.Close()
			asked := make(silence)
			r.Fail("HEAD /v2/app/**", asked.fault())
			args := append([]string{dir, "-t", r.Host + "/app:1", "--insecure-registry", "--progress", "plain", "--smoke", tt.smoke}, tt.args...)
			there := *u
			var cut func()
			there.Addr, cut = wire(t, u.Addr)
			run := there.Start(t, args...)
			if tt.until == "" {
				asked.await(t, run)
			} else {
				run.Until(tt.until)
			}
			cut()
			run.Ends(75)
			if !strings.Contains(run.Said(), "went away during the build") {
				t.Errorf("it does not report that the engine is gone:\n%s", e2etest.Tail(run.Said()))
			}
			u.HasNoImage(t)
			nothingLeft(t, u.Dir)
			if r.Manifest("app", "1") != nil {
				t.Error("the registry has the image")
			}
			u.Build(t, append(args, "--smoke", "off")...)
		})
	}
}

// An engine that goes away once the image is complete takes only the cache with it.
func TestRealEngineDiesWhileItExportsACache(t *testing.T) {
	t.Parallel()
	u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
	asked := make(silence)
	r.Fail("POST /v2/cache/**", asked.fault())
	there := *u
	var cut func()
	there.Addr, cut = wire(t, u.Addr)
	metadata := filepath.Join(t.TempDir(), "made.json")
	run := there.Start(t, dir, "-t", r.Host+"/app:1", "--push", "--cache-to", r.Host+"/cache", "--insecure-registry", "--smoke", "off", "--progress", "plain", "--metadata-file", metadata)
	asked.await(t, run)
	cut()
	run.Ends(0)
	if said := run.Said(); !strings.Contains(said, "build: warning: the image is complete, but the next build will miss a cache") || !strings.Contains(said, "went away during the build") {
		t.Errorf("it does not report the loss:\n%s", e2etest.Tail(said))
	}
	if text, err := os.ReadFile(metadata); err != nil || !strings.Contains(string(text), `"lamina.cache-problems"`) || r.Manifest("app", "1") == nil {
		t.Errorf("the metadata is %s, %v, and the image %q", text, err, r.Manifest("app", "1"))
	}
}
