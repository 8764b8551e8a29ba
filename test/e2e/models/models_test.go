package models

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A model has the same layers whoever makes them: the engine, a push, a pull.
func TestRealLayersAreTheSameWhoeverMakesThem(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	if sent := s.hub.CDN.Sent("/**"); sent > 0 {
		t.Errorf("locking moved %d bytes of large files", sent)
	}
	l := e2etest.ReadLock(t, s.dir)
	if m := l.Models[0]; m.Commit != s.commit || len(m.Files) != 6 || m.Size() < 2*large {
		t.Errorf("locked commit %s, %d files, %d bytes", m.Commit, len(m.Files), m.Size())
	}

	halfway := s.untagged(t)
	s.Build(t, "image", s.dir)
	made, layers := pulled(t, s.modelsDir())
	if _, err := os.Stat(halfway); err != nil {
		t.Errorf("a build removed what an interrupted pull had left: %v", err)
	}
	if got := s.modelLayers(t); len(got) != 3 || !slices.Equal(got, layers) {
		t.Errorf("the image has layers %v, the engine made %v", got, layers)
	}
	first := s.Digest(t)
	s.checkFiles(t)

	dir := filepath.Join(t.TempDir(), "weights")
	s.Build(t, "model", "pull", dir, "--spec", s.dir)
	if again, same := pulled(t, dir); again != made || !slices.Equal(same, layers) {
		t.Errorf("pull gives %s %v, the engine %s %v\n%s", again, same, made, layers, diffLayers(t, s.modelsDir(), dir, 0))
	}

	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s.push(t, r, "weights", "1")
	if want, got := r.Host+"/weights@"+made.String(), e2etest.ReadLock(t, s.dir).Models[0].Published; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
	r.Forget()
	pack := s.Build(t, "model", "push", r.Host+"/weights:1", "--modelpack", "--spec", s.dir, "--insecure-registry")
	if !strings.Contains(pack.Stdout, "/weights:1-modelpack\n") || r.Manifest("weights", "1-modelpack") == nil || r.Received() > 10_000 { // with headers
		t.Errorf("%d bytes of the ModelPack were sent, and it prints\n%s", r.Received(), pack.Stdout)
	}
	s.checkVerify(t, dir, layers[0].Encoded(), r.Host+"/weights@"+made.String())
	s.Build(t, "image", s.dir)
	if second := s.Digest(t); second != first {
		t.Errorf("image %s with published weights, %s with those of the engine", second, first)
	}
	e2etest.Verify(t, s.User)
	s.noToken(t)
}

// checkVerify verifies a model in a layout and where it is published, then again with a
// changed byte in a layer.
func (s *setting) checkVerify(t *testing.T, dir, layer, published string) {
	t.Helper()
	args := []string{"model", "verify", dir, "--spec", s.dir, "--insecure-registry"}
	if got := s.Build(t, args...); !strings.Contains(got.Stdout, "in "+published+": 3 layers") || !strings.Contains(got.Stdout, "in "+dir+": 3 layers") {
		t.Errorf("verified:\n%s", got.Stdout)
	}
	blob, err := os.OpenFile(filepath.Join(dir, "blobs", "sha256", layer), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if _, err = blob.WriteAt([]byte("other"), 4096); err != nil {
		t.Fatal(err)
	}
	if got := s.Run(t, args...); got.Code != 3 || !strings.Contains(got.Stderr, " has the sha256 ") || !strings.Contains(got.Stdout, "in "+published) || strings.Contains(got.Stdout, dir) {
		t.Errorf("exit code %d\n%s%s", got.Code, got.Stdout, e2etest.Tail(got.Stderr))
	}
}

// checkFiles checks that the image has the model's files.
func (s *setting) checkFiles(t *testing.T) {
	t.Helper()
	store, image := s.Image(t, "production")
	have := e2etest.Files(t, store, image)
	want := map[string]int64{
		"models/tiny/unet/model.safetensors": large, "models/tiny/vae/diffusion.safetensors": large + 1,
		"models/tiny/tokenizer/odd näme #1.txt": 1, "models/tiny/tokenizer/empty.txt": 0,
	}
	got := map[string]int64{}
	for name := range want {
		for path, entry := range have {
			if strings.Trim(path, "/") == name {
				got[name] = entry.Size
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the model (-want +got):\n%s", diff)
	}
	if list := have["/usr/share/lamina/model.json"]; list.Size == 0 || list.Mode.Perm() != 0o644 {
		t.Errorf("the list of its files has %d bytes and mode %v", list.Size, list.Mode)
	}
}

// noToken checks that nothing that a user or a registry keeps has the token.
func (s *setting) noToken(t *testing.T) {
	t.Helper()
	e2etest.NoSecrets(t, s.dir, s.Dir, s.Cache)
	graph := s.Build(t, "image", "--print=json", s.dir)
	e2etest.NoSecret(t, "the graph", graph.Stdout+graph.Stderr)
	if n := s.hub.CDN.Credentials("/**"); n > 0 {
		t.Errorf("the token went to the other host %d times", n)
	}
}

// A release of the app on a fresh engine transfers only the app, wherever the weights are.
func TestRealAppChangeMovesNoWeights(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s.push(t, r, "app", "weights")
	cache := "type=registry,ref=" + r.Host + "/app"
	s.Build(t, "image", s.dir, "-t", r.Host+"/app:1", "--push", "--insecure-registry", "--cache-to", cache)
	before, err := crane.Digest(r.Host+"/app:1", crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}

	e2etest.Write(t, filepath.Join(s.dir, "app", "note.txt"), []byte("changed\n"))
	for _, smoke := range []string{"off", "all"} {
		s.hub.Forget()
		s.hub.CDN.Forget()
		r.Forget()
		there := e2etest.UserOf(t, e2etest.FreshEngine(t))
		there.Cache, there.Env = t.TempDir(), s.Env
		there.Build(t, "image", s.dir, "-t", r.Host+"/release:"+smoke, "--push", "--insecure-registry", "--cache-from", cache, "--smoke", smoke)
		if n := s.hub.Sent("/**") + s.hub.CDN.Sent("/**"); n > 0 {
			t.Errorf("smoke %s: %d bytes came from the hub", smoke, n)
		}
		most := int64(1_000_000)
		if smoke == "all" {
			most = large // the runtime, and no weights
		}
		if n := r.Sent("/**") + r.Received(); n > most {
			t.Errorf("smoke %s: %d bytes to and from the registry, want at most %d", smoke, n, most)
		}
		after, err := crane.Digest(r.Host+"/release:"+smoke, crane.Insecure)
		if err != nil || after == before {
			t.Errorf("smoke %s: the change did not reach the image: %s before and after (%v)", smoke, after, err)
		}
	}
}

// An engine's failure to fetch is reported with its cause.
func TestRealFaultsOfTheHub(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	whole := e2etest.ReadLock(t, s.dir)
	for _, tt := range []struct {
		name    string
		corrupt func()
		code    int
		want    []string
	}{
		{"a file that is gone", func() {
			gone := s.files()
			delete(gone, "config.json")
			s.hub.Drop(repository)
			s.hub.Repo(repository, testworld.HubRepoOptions{}).Commit(gone)
		}, 2, []string{repository}},
		{"a model that became gated", func() {
			s.Env = s.Env[:1]
			s.hub.Drop(repository)
			s.hub.Repo(repository, testworld.HubRepoOptions{Gated: true}).Commit(s.files())
		}, 2, []string{"HF_TOKEN"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.corrupt()
			r := s.Run(t, "image", s.dir)
			_, text, _ := strings.Cut(r.Stderr, "build: error:") // the engine's output precedes it
			if r.Code != tt.code || strings.Contains(text, "digest mismatch") || strings.Contains(text, token) {
				t.Errorf("exit code %d, want %d\n%s", r.Code, tt.code, e2etest.Tail(text))
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in:\n%s", want, e2etest.Tail(text))
				}
			}
			if diff := cmp.Diff(whole, e2etest.ReadLock(t, s.dir)); diff != "" {
				t.Errorf("the lock changed:\n%s", diff)
			}
		})
	}
}

// A wrong answer of the CDN makes no layer, and no image.
func TestRealWrongBytes(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	s.hub.CDN.Fail("/blobs/**", testworld.Wrong(testworld.Always))
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	for _, args := range [][]string{
		{"image", s.dir},
		{"model", "push", r.Host + "/w:1", "--spec", s.dir, "--insecure-registry"},
		{"model", "pull", "--spec", s.dir},
	} {
		got := s.Run(t, args...)
		if got.Code != 1 || strings.Contains(got.Stderr, "snapshot archive") || !strings.Contains(got.Stderr, "sha256") && !strings.Contains(got.Stderr, "locked") {
			t.Errorf("%v: exit code %d\n%s", args, got.Code, e2etest.Tail(got.Stderr))
		}
	}
	if r.Manifest("w", "1") != nil {
		t.Error("an image of wrong bytes was published")
	}
	l, err := layout.Open(t.Context(), s.modelsDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if tags, err := l.Tags(); err != nil || len(tags) > 0 {
		t.Errorf("an image of wrong bytes was pulled: %q, %v", tags, err)
	}
	s.hub.CDN.Heal()
	s.Build(t, "model", "pull", "--spec", s.dir)
	if text := s.Build(t, "model", "ls", "--spec", s.dir, "--files").Stdout; !strings.Contains(text, s.modelsDir()) || !strings.Contains(text, "/models/tiny/vae/diffusion.safetensors") {
		t.Errorf("ls:\n%s", text)
	}
}

// A registry's limits are checked before a byte is transferred.
func TestRealLimitsOfARegistry(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	s.hub.CDN.Forget()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	push := []string{"model", "push", r.Host + "/w:1", "--spec", s.dir, "--insecure-registry"}
	got := s.Run(t, append(push, "--max-layer", "69MB")...)
	for _, want := range []string{"unet/model.safetensors", "vae/diffusion.safetensors", "hint: "} {
		if got.Code == 0 || !strings.Contains(got.Stderr, want) {
			t.Errorf("exit code %d, want a failure with %q:\n%s", got.Code, want, e2etest.Tail(got.Stderr))
		}
	}
	if n := s.hub.CDN.Sent("/**") + r.Received(); n > 0 {
		t.Errorf("%d bytes were transferred before that was known", n)
	}
	s.Build(t, append(push, "--max-layer", "71MB")...)
}

// Weights are in no remote cache: it would hold a second copy, and each build would look
// for them there.
func TestRealCachesHoldNoWeights(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s.Build(t, "image", s.dir, "--cache-to", "type=registry,ref="+r.Host+"/cache")
	if r.Received() == 0 {
		t.Error("nothing was written to the cache")
	}
	for _, layer := range s.modelLayers(t) {
		if n := r.ReceivedOf(layer); n > 0 {
			t.Errorf("%d bytes of weights went to the cache", n)
		}
	}
}

// A published model that is gone comes from where it was locked.
func TestRealPublishedModelThatIsGone(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s.push(t, r, "w", "1")
	r.Fail("GET /v2/w/manifests/**", testworld.Status(404, testworld.Always))
	r.Fail("HEAD /v2/w/manifests/**", testworld.Status(404, testworld.Always))
	got := s.Build(t, "image", s.dir)
	if !strings.Contains(got.Stderr, "no longer exists") || len(s.modelLayers(t)) != 3 {
		t.Errorf("it was not reported:\n%s", e2etest.Tail(got.Stderr))
	}
	if bad := s.Run(t, "image", s.dir, "--models", "nowhere"); bad.Code != 2 || !strings.Contains(bad.Stderr, "holds no models") {
		t.Errorf("exit code %d for a missing directory\n%s", bad.Code, e2etest.Tail(bad.Stderr))
	}
}

// A model that is too large for the disks is refused before any of it is fetched.
func TestRealModelLargerThanTheDisk(t *testing.T) {
	s := newSetting(t)
	s.lock(t)
	l := e2etest.ReadLock(t, s.dir)
	for i := range l.Models[0].Files {
		if f := &l.Models[0].Files[i]; f.Size >= large {
			f.Size = 1 << 48
		}
	}
	e2etest.Write(t, filepath.Join(s.dir, "image.lock"), l.Format())
	got := s.Run(t, "image", s.dir)
	if got.Code == 0 || !strings.Contains(got.Stderr, " free, but the model needs another ") {
		t.Errorf("exit code %d\n%s", got.Code, e2etest.Tail(got.Stderr))
	}
	if n := s.hub.CDN.Sent("/**"); n > 0 {
		t.Errorf("%d bytes were fetched", n)
	}
}
