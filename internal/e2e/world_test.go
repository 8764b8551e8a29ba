package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/enginetest"
	"lamina.build/internal/layout"
)

// compiled is where the command is, once a test has asked for it.
var compiled string

// program compiles the command once for all tests of the package.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lamina-e2e-")
	if err != nil {
		return "", err
	}
	compiled = filepath.Join(dir, "build")
	out, err := exec.Command("go", "build", "-o", compiled, "lamina.build/cmd/build").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return compiled, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if compiled != "" {
		_ = os.RemoveAll(filepath.Dir(compiled))
	}
	os.Exit(code)
}

// user is somebody with a folder of their own who runs the command there.
type user struct {
	dir   string // where commands run; dist/ appears in it
	addr  string // of the engine
	cache string
	env   []string
}

// newUser shares the tests' engine, and what was ever downloaded.
func newUser(t *testing.T) *user {
	t.Helper()
	return userOf(t, enginetest.Engine(t))
}

func userOf(t *testing.T, e *engine.Engine) *user {
	t.Helper()
	return &user{dir: t.TempDir(), addr: e.Addr, cache: filepath.Join(filepath.Dir(enginetest.Options(t).CacheDir), "lamina-test", "user")}
}

// freshEngine is an engine with nothing in its cache, in a root of its own.
func freshEngine(t *testing.T) *engine.Engine {
	t.Helper()
	o := enginetest.Options(t)
	o.StateDir = t.TempDir()
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("opening an engine of its own: %v", err)
	}
	t.Cleanup(func() {
		_ = e.Close()
		// The test's own context has ended by now.
		_ = engine.Stop(context.WithoutCancel(t.Context()), o, true)
	})
	return e
}

type result struct {
	code           int
	stdout, stderr string
}

// run runs the command to its end, whatever that is.
func (u *user) run(t *testing.T, args ...string) result {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatalf("compiling the command: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = u.dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+u.cache, "BUILDKIT_HOST="+u.addr)
	cmd.Env = append(cmd.Env, u.env...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("running %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// build builds an image and fails the test where that fails.
func (u *user) build(t *testing.T, args ...string) result {
	t.Helper()
	r := u.run(t, args...)
	if r.code != 0 {
		t.Fatalf("build %v: exit code %d\n%s", args, r.code, tail(r.stderr))
	}
	return r
}

func tail(s string) string { return s[max(0, len(s)-8<<10):] }

// image is what lies in dist/faceblend under a tag.
func (u *user) image(t *testing.T, tag string) (*layout.Layout, layout.Image) {
	t.Helper()
	l, err := layout.Open(t.Context(), filepath.Join(u.dir, "dist", "faceblend"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	image, err := l.Read(t.Context(), tag)
	if err != nil {
		t.Fatal(err)
	}
	return l, image
}

func (u *user) digest(t *testing.T) digest.Digest {
	t.Helper()
	_, image := u.image(t, "production")
	return image.Desc.Digest
}

// layers are the digests of an image's layers by what made them: "app /app".
func layers(image layout.Image) map[string]digest.Digest {
	all := map[string]digest.Digest{}
	for i, h := range image.Config.History {
		all[strings.TrimPrefix(h.CreatedBy, "lamina ")+" "+h.Comment] = image.Manifest.Layers[i].Digest
	}
	return all
}

// example copies examples/faceblend, with the lock that the tests of one run
// share: what is locked once, builds everywhere.
func example(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "faceblend")
	if err := os.CopyFS(dir, os.DirFS("../../examples/faceblend")); err != nil {
		t.Fatal(err)
	}
	lock, err := sharedLock(t)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "image.lock"), lock)
	return dir
}

var (
	lockOnce sync.Mutex
	lockText []byte
)

func sharedLock(t *testing.T) ([]byte, error) {
	t.Helper()
	lockOnce.Lock()
	defer lockOnce.Unlock()
	if lockText != nil {
		return lockText, nil
	}
	dir := filepath.Join(t.TempDir(), "faceblend")
	if err := os.CopyFS(dir, os.DirFS("../../examples/faceblend")); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, "image.lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	newUser(t).build(t, "lock", dir)
	var err error
	lockText, err = os.ReadFile(filepath.Join(dir, "image.lock"))
	return lockText, err
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces one text in a file by another.
func edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("no %q in %s", old, path)
	}
	write(t, path, bytes.ReplaceAll(data, []byte(old), []byte(replacement)))
}

// files lists all entries of an image by path, later layers over earlier ones.
func files(t *testing.T, l *layout.Layout, image layout.Image) map[string]layout.Entry {
	t.Helper()
	all := map[string]layout.Entry{}
	for _, layer := range image.Manifest.Layers {
		entries, err := layout.Entries(t.Context(), l.Store(), layer)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all[e.Path] = e
		}
	}
	return all
}

// execs counts the steps that ran anew, in the output of --progress rawjson.
func execs(t *testing.T, rawjson, prefix string) int {
	t.Helper()
	ran := map[string]bool{}
	for line := range strings.SplitSeq(rawjson, "\n") {
		var status struct {
			Vertexes []struct {
				Name      string
				Cached    bool
				Completed string
			}
		}
		if json.Unmarshal([]byte(line), &status) != nil {
			continue
		}
		for _, v := range status.Vertexes {
			if strings.HasPrefix(v.Name, prefix) && v.Completed != "" {
				ran[v.Name] = !v.Cached
			}
		}
	}
	n := 0
	for _, anew := range ran {
		if anew {
			n++
		}
	}
	return n
}
