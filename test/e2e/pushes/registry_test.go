package pushes

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// trouble is a wrong answer.
type trouble struct {
	answer http.HandlerFunc
	times  int
	code   int // the exit code of a command
}

func troubles() map[string]trouble {
	endless := func(rw http.ResponseWriter, r *http.Request) {
		for piece := make([]byte, 1<<20); r.Method != http.MethodHead; {
			if _, err := rw.Write(piece); err != nil {
				return
			}
		}
	}
	return map[string]trouble{
		"half a body": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			_, _ = rw.Write(make([]byte, 500))
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}, 1, 0},
		"another digest": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			rw.Header().Set("Docker-Content-Digest", digest.FromString("another").String())
			_, _ = io.WriteString(rw, "{}")
		}, testworld.Always, 1},
		"HTML": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, "<html>sign in</html>")
		}, testworld.Always, 1},
		"a gigabyte": {func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", "1000000000")
			endless(rw, r)
		}, testworld.Always, 1},
		"without an end": {endless, testworld.Always, 1},
		"a redirect to itself": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, r.URL.String(), http.StatusTemporaryRedirect)
		}, testworld.Always, 1},
	}
}

// A registry that answers nonsense has no image afterwards, and the build fails; a cache
// that does is ignored.
func TestRealTroubleOfARegistry(t *testing.T) {
	for name, tt := range troubles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
			args := []string{dir, "--insecure-registry", "--smoke", "off", "--progress", "quiet"}
			if name != "without an end" { // the engine reads on for minutes
				r.Fail("/v2/cache/**", testworld.Answer(tt.answer, tt.times))
				args = append(args, "--cache-from", "type=registry,ref="+r.Host+"/cache")
			}
			if tt.code == 0 {
				u.Build(t, args...)
				return
			}
			r.Fail("/v2/app/**", testworld.Answer(tt.answer, tt.times))
			u.Fails(t, tt.code, []string{r.Host + "/app"}, append(args, "-t", r.Host+"/app:1", "--push")...)
			if r.Manifest("app", "1") != nil {
				t.Error("the registry has the image")
			}
		})
	}
}

// Tokens of a service whose clock is an hour off work like others.
func TestRealTokensOfAnotherHour(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			u, dir := e2etest.NewUser(t), e2etest.Small(t)
			r := testworld.NewRegistry(t, testworld.RegistryOptions{Tokens: true, Issued: time.Now().Add(off).UTC().Format(time.RFC3339)})
			u.Build(t, dir, "-t", r.Host+"/app:1", "--push", "--insecure-registry", "--smoke", "off", "--progress", "quiet")
			if r.Manifest("app", "1") == nil {
				t.Error("the registry has no image")
			}
		})
	}
}

// The same for models: the registry of a push, and the hub of a pull.
func TestRealTroubleWithAModel(t *testing.T) {
	u, w := e2etest.NewUser(t), testworld.New(t)
	hub := w.Hub(testworld.HubOptions{})
	hub.Repo("acme/tiny", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{
		"model.bin": testworld.Large(testworld.Generated(1, 1_000_000)), "config.json": testworld.Small("{}"),
	})
	u.Env = []string{"HF_ENDPOINT=" + hub.Endpoint}
	dir := e2etest.PythonProject(t, "[[model]]\nfrom = \"hf://acme/tiny@main\"\npath = \"/models/tiny\"\n", nil)
	u.Build(t, "lock", dir)
	lock, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range troubles() {
		t.Run(name, func(t *testing.T) {
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			r.Fail("/v2/w/**", testworld.Answer(tt.answer, tt.times))
			u.Fails(t, tt.code, nil, "model", "push", r.Host+"/w:1", "--spec", dir, "--insecure-registry")
			if there := r.Manifest("w", "1") != nil; there != (tt.code == 0) {
				t.Errorf("the registry has the model: %t", there)
			}
			e2etest.Write(t, filepath.Join(dir, "image.lock"), lock)

			fault := testworld.Answer(tt.answer, tt.times)
			if tt.code == 0 {
				fault = testworld.Cut(tt.times)
			}
			hub.CDN.Fail("/blobs/**", fault)
			models := filepath.Join(t.TempDir(), "models")
			u.Fails(t, tt.code, nil, "model", "pull", models, "--spec", dir)
			l, err := layout.Open(t.Context(), models)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if tags, err := l.Tags(); err != nil || len(tags) > 0 != (tt.code == 0) {
				t.Errorf("the layout has %q, %v", tags, err)
			}
			hub.CDN.Heal()
		})
	}
}
