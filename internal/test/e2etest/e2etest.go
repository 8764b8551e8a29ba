// Package e2etest lets tests act as users of the compiled command, each with a directory, a
// real engine, and a copy of examples/faceblend to change.
package e2etest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/layout"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/imagetest"
	"lamina.build/internal/test/testworld"
)

// Root returns the directory of the module.
func Root(t *testing.T) string {
	t.Helper()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatalf("looking for the module: %v", err)
	}
	return root
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(out))), err
}

// User runs the command in a directory of their own.
type User struct {
	Dir   string   // where commands run; dist/ appears in it
	Addr  string   // of the engine
	Cache string   // XDG_CACHE_HOME
	Env   []string // on top of the test's own
}

// NewUser returns a user who shares the tests' engine and all downloads.
func NewUser(t *testing.T) *User {
	t.Helper()
	testworld.RealMirrors(t)
	return UserOf(t, enginetest.Engine(t))
}

// UserOf returns a user with an engine.
func UserOf(t *testing.T, e *engine.Engine) *User {
	t.Helper()
	return &User{Dir: t.TempDir(), Addr: e.Addr, Cache: filepath.Join(filepath.Dir(enginetest.Options(t).CacheDir), "lamina-test", "user")}
}

// Result is the result of a command.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the command to its end, whatever the exit code.
func (u *User) Run(t *testing.T, args ...string) Result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t), args...) //nolint:gosec // the command under test
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = u.Dir, &stdout, &stderr
	cmd.Env = u.environ()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("running %v: %v", args, err)
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Build builds an image and fails the test if that fails.
func (u *User) Build(t *testing.T, args ...string) Result {
	t.Helper()
	r := u.Run(t, args...)
	if r.Code != 0 {
		t.Fatalf("build %v: exit code %d\n%s", args, r.Code, Tail(r.Stderr))
	}
	return r
}

// Tail returns the end of a long output.
func Tail(s string) string { return s[max(0, len(s)-8<<10):] }

// Image returns the image in dist/faceblend with a tag.
func (u *User) Image(t *testing.T, tag string) (*layout.Layout, layout.Image) {
	t.Helper()
	l, err := layout.Open(t.Context(), filepath.Join(u.Dir, "dist", "faceblend"))
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

// Digest returns the digest of the production image.
func (u *User) Digest(t *testing.T) digest.Digest {
	t.Helper()
	_, image := u.Image(t, "production")
	return image.Desc.Digest
}

// Layers returns the digests of an image's layers by what made them: "app /app".
func Layers(image layout.Image) map[string]digest.Digest {
	all := map[string]digest.Digest{}
	for i, h := range image.Config.History {
		all[strings.TrimPrefix(h.CreatedBy, "lamina ")+" "+h.Comment] = image.Manifest.Layers[i].Digest
	}
	return all
}

// Example copies examples/faceblend, with the lock that all tests of a run share: what is
// locked once builds everywhere.
func Example(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "faceblend")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root(t), "examples", "faceblend"))); err != nil {
		t.Fatal(err)
	}
	lock, err := sharedLock(t)
	if err != nil {
		t.Fatal(err)
	}
	Write(t, filepath.Join(dir, "image.lock"), lock)
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
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root(t), "examples", "faceblend"))); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, "image.lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	NewUser(t).Build(t, "lock", dir)
	var err error
	lockText, err = os.ReadFile(filepath.Join(dir, "image.lock")) //nolint:gosec // a directory of the test
	return lockText, err
}

// Write replaces a file.
func Write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // read by the image's user
		t.Fatal(err)
	}
}

// Edit replaces one text in a file with another.
func Edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(path) //nolint:gosec // a directory of the test
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("no %q in %s", old, path)
	}
	Write(t, path, bytes.ReplaceAll(data, []byte(old), []byte(replacement)))
}

// Files lists all entries of an image by path, later layers over earlier ones.
func Files(t *testing.T, l *layout.Layout, image layout.Image) map[string]imagetest.Entry {
	t.Helper()
	all := map[string]imagetest.Entry{}
	for _, layer := range image.Manifest.Layers {
		entries, err := imagetest.Entries(t.Context(), l.Store(), layer)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all[e.Path] = e
		}
	}
	return all
}

// Execs returns the steps that run a program, those that ran and those that came from the
// cache, from the output of --progress rawjson.
func Execs(rawjson string) (ran, cached []string) {
	state := map[string]bool{}
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
			if isExec.MatchString(v.Name) && v.Completed != "" {
				state[v.Name] = v.Cached
			}
		}
	}
	for name, fromCache := range state {
		if fromCache {
			cached = append(cached, name)
		} else {
			ran = append(ran, name)
		}
	}
	return ran, cached
}

// isExec matches the names of an image's steps that run a program.
var isExec = regexp.MustCompile(`^smoke: (import|run|libraries|entrypoint) |: (install|compile)|^check: `)

// Fails runs the command and checks its exit code and its messages.
func (u *User) Fails(t *testing.T, code int, says []string, args ...string) {
	t.Helper()
	r := u.Run(t, args...)
	if r.Code != code {
		t.Errorf("exit code %d, want %d\n%s", r.Code, code, Tail(r.Stderr))
	}
	for _, text := range says {
		if !strings.Contains(r.Stderr, text) {
			t.Errorf("standard error does not say %q:\n%s", text, Tail(r.Stderr))
		}
	}
}

// HasNoImage checks that a failed build has left no tag.
func (u *User) HasNoImage(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(u.Dir, "dist", "faceblend", "index.json")); err == nil {
		if tags := mustTags(t, u); len(tags) > 0 {
			t.Errorf("a failed build left the tags %v", tags)
		}
	}
}

func mustTags(t *testing.T, u *User) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(u.Dir, "dist", "faceblend", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "ref.name") {
		return []string{string(data)}
	}
	return nil
}
