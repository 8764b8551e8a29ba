package lamina

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/debian"
	"lamina.build/lock"
)

// Without a cache directory nothing works, and a hint names the variable to set.
func TestNoCacheRoot(t *testing.T) {
	env := map[string]string{"XDG_CACHE_HOME": "relative", "HOME": "relative"}
	_, err := newHost(Options{Env: func(name string) string { return env[name] }})
	if KindOf(err) != Usage || len(Hints(err)) != 1 || Hints(err)[0] != "set XDG_CACHE_HOME" {
		t.Errorf("got %v, %q", err, Hints(err))
	}
	if _, err = (Options{Env: func(string) string { return "" }}).CacheRoot(); KindOf(err) != Usage {
		t.Errorf("CacheRoot: %v", err)
	}
}

// The first to name a mirror for a repository wins: the options, the environment, the
// spec, the apt of the host, the lock's further ones, the snapshot archive.
func TestMirrorsByPrecedence(t *testing.T) {
	const flag, variable, spec = "http://flag.example/debian", "http://env.example/debian", "http://spec.example/debian"
	env := map[string]string{"LAMINA_DEBIAN_MIRROR": variable + ",tools=http://env.example/tools"}
	l := lock.Lock{
		Requirements: lock.Requirements{Repositories: []lock.Repository{{Name: "tools", URL: "https://tools.example"}, {Name: "more", URL: "https://more.example"}}},
		Releases:     []lock.Release{{Repository: "debian", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
	}
	for _, tt := range []struct {
		name                string
		flag, env, spec     string
		debian, tools, more string
	}{
		{"the flag", flag, env["LAMINA_DEBIAN_MIRROR"], spec, flag, "http://env.example/tools", "https://more.example"},
		{"the variable", "", env["LAMINA_DEBIAN_MIRROR"], spec, variable, "http://env.example/tools", "https://more.example"},
		{"the spec", "", "", spec, spec, "https://tools.example", "https://more.example"},
		{"a repository by name alone", "more=http://flag.example/more", "", spec, spec, "https://tools.example", "http://flag.example/more"},
	} {
		h, err := newHost(Options{CacheDir: t.TempDir(), DebianMirror: tt.flag, Env: func(name string) string {
			return map[string]string{"LAMINA_DEBIAN_MIRROR": tt.env}[name]
		}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.mirrors(tt.spec, l)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"debian": tt.debian, "tools": tt.tools, "more": tt.more} {
			if !strings.HasPrefix(got.URL(name, "x"), want) {
				t.Errorf("%s: %s is at %s, want %s", tt.name, name, got.URL(name, "x"), want)
			}
		}
	}
	for _, bad := range []struct{ flag, env, spec, want string }{
		{"x", "", "", "flag --debian-mirror: "}, {"", "x", "", "LAMINA_DEBIAN_MIRROR: "}, {"", "", "x", "mirror of the spec: "},
	} {
		h := &host{o: Options{DebianMirror: bad.flag, Env: func(string) string { return bad.env }}}
		if _, err := h.mirrors(bad.spec, lock.Lock{}); KindOf(err) != Usage || !strings.HasPrefix(err.Error(), bad.want) {
			t.Errorf("got %v, want %s", err, bad.want)
		}
	}
}

func TestFurtherRepositoriesAreWhereTheLockSays(t *testing.T) {
	l := lock.Lock{Requirements: lock.Requirements{Repositories: []lock.Repository{{Name: "tools", URL: "https://tools.example/a"}}}}
	if got := further(l); len(got) != 1 || got.URL("tools", "pool/x.deb") != (debian.Mirrors{"tools": "https://tools.example/a"}).URL("tools", "pool/x.deb") {
		t.Errorf("got %v", got)
	}
}

// Without a display, all events are drained, or the engine would block.
func TestNobodyWatches(t *testing.T) {
	h := &host{}
	h.note("nobody hears %s", "this")
	steps := make(chan *client.SolveStatus)
	done := make(chan error, 1)
	go func() { done <- h.watch(Work{})(t.Context(), steps) }()
	for range 3 {
		steps <- &client.SolveStatus{}
	}
	close(steps)
	if err := <-done; err != nil {
		t.Error(err)
	}
	var notes told
	h.o.Progress = &notes
	if h.line("100%"); len(notes) != 1 || notes[0] != "100%" {
		t.Errorf("notes %q", notes)
	}
}

// An example is unpacked below the cache directory, and the error names it if it can't be.
func TestExampleOfAProgram(t *testing.T) {
	o := Options{CacheDir: t.TempDir()}
	dir, err := o.Example("hello", fstest.MapFS{"image.toml": {Data: []byte("name = \"hello\"\n")}})
	if err != nil || dir != filepath.Join(o.CacheDir, "examples", "hello") {
		t.Fatalf("got %s, %v", dir, err)
	}
	p, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Dir() != dir || p.LockPath() != filepath.Join(dir, LockName) || strings.Join(p.Variants(), " ") != "production debug minimal" {
		t.Errorf("opened %s with %s and %q", p.Dir(), p.LockPath(), p.Variants())
	}
	if err = os.WriteFile(filepath.Join(o.CacheDir, "examples", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = o.Example("file", fstest.MapFS{"a": {}}); err == nil || !strings.HasPrefix(err.Error(), "unpacking example file: ") {
		t.Errorf("got %v", err)
	}
}

// Only a directory can be opened.
func TestOpenOfNoDirectory(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none"), Options{})
	if KindOf(err) != Usage || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	_, err = Open(t.TempDir(), Options{CacheDir: t.TempDir()})
	if KindOf(err) != Usage || len(Hints(err)) != 1 {
		t.Errorf("an empty directory: %v, %q", err, Hints(err))
	}
}
